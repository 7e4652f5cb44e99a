"""Blobs in the database that several machines share; each machine has a cache of them."""

import errno
import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from streamlit_assistant.files.blob_cache import MOST_BYTES, BlobCache
from streamlit_assistant.files.blobs import DRAFT_SECONDS, Rows, gathered, limited
from streamlit_assistant.store.blob_bytes import BlobBytes
from streamlit_assistant.untorn import in_thread, untorn


class SharedBlobs:
    """The database excludes whoever adds bytes and whoever removes them. `open` before use.

    It names the bytes in the transaction that inserts their row. What is cached here decides
    nothing: any of it may be missing, or be left of bytes that another machine has removed.
    """

    def __init__(
        self, cache: Path, rows: Rows, stored: BlobBytes, *, most_cached: int = MOST_BYTES
    ) -> None:
        """`cache` is a folder of this machine, which may hold `most_cached` bytes."""
        self._rows = rows
        self._stored = stored
        self._cache = BlobCache(cache, self._fetch, most_cached)

    async def open(self) -> None:
        """Make the cache's folder; raise `StartError`."""
        await self._cache.open()

    async def receive(self, pieces: AsyncIterator[bytes], most_bytes: int) -> "SharedDraft":
        """Write a stream to a draft; raise `TooLarge` beyond `most_bytes`."""
        draft = SharedDraft(self._stored)
        is_whole = False
        try:
            await draft.begin()
            async for piece in gathered(limited(pieces, most_bytes)):
                await draft.append(piece)
            is_whole = True
        finally:
            if not is_whole:
                await draft.discard()
        return draft

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces."""
        return self._cache.read(sha256)

    def located(self, sha256: str) -> AbstractAsyncContextManager[Path]:
        """Have the bytes in a file of this machine for as long as the block lasts."""
        return self._cache.located(sha256)

    async def forget(self, hashes: Collection[str]) -> None:
        """Remove the bytes that no row refers to, here at once and elsewhere by housekeeping."""
        for sha256 in await self._rows.unused(hashes):
            if await self._stored.forget(sha256):
                await self._cache.remove(sha256)

    async def keep_house(self) -> None:
        """Remove old drafts, bytes without a row, and what need not be in the cache."""
        await self._stored.remove_drafts(DRAFT_SECONDS)
        await self.forget([*await self._stored.unused(), *await self._cache.names()])
        await self._cache.keep_house()

    async def _fetch(self, sha256: str) -> AsyncIterator[bytes]:
        blob, left = await self._stored.find(sha256) or (0, 1)
        position = 0
        while left:
            piece = await self._stored.piece(blob, position)
            if piece is None:  # it was removed, perhaps between two pieces
                raise FileNotFoundError(errno.ENOENT, "no such blob", sha256)
            yield piece
            left -= len(piece)
            position += 1


class SharedDraft:
    """A blob without a name; nobody but its receiver knows it."""

    def __init__(self, stored: BlobBytes) -> None:
        self._stored = stored
        self._digest = hashlib.sha256()
        self._blob: int | None = None
        self._pieces = 0
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """The hash of what has been appended."""
        return self._digest.hexdigest()

    async def begin(self) -> None:
        """Make the blob."""
        await untorn(self._begin())

    async def append(self, piece: bytes) -> None:
        """Store the next piece."""
        assert self._blob is not None, "append before begin"
        await self._stored.append(self._blob, self._pieces, piece)
        await in_thread(self._digest.update, piece)
        self._pieces += 1
        self.bytes += len(piece)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[int | None]:
        """Give the blob that the row's transaction names."""
        yield self._blob
        self._blob = None  # it is no draft any more, or was one too many of its content

    async def discard(self) -> None:
        """Remove the bytes, if they were not kept."""
        if self._blob is not None:
            await untorn(self._stored.discard(self._blob))

    async def _begin(self) -> None:
        self._blob = await self._stored.begin()
