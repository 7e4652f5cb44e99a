"""Blobs in a folder: those of a site on one machine, however many processes it has."""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from streamlit_assistant.files.blob_folder import BlobFolder
from streamlit_assistant.files.blobs import Rows, limited
from streamlit_assistant.files.folder_lock import FolderLock
from streamlit_assistant.untorn import in_thread


class FolderBlobs:
    """Adding and removing happen under a lock. `open` before use.

    to add     the draft is renamed into its place and the row inserted, in this order
    to remove  no row must refer to the bytes any more, and they are unlinked

    Without the lock the bytes could be unlinked between an addition's rename and its row.
    """

    def __init__(self, folder: Path, rows: Rows) -> None:
        self._folder = BlobFolder(folder)
        self._rows = rows
        self._changing = FolderLock(folder / "lock")

    async def open(self) -> None:
        """Make the folder; raise `StartError`."""
        await self._folder.open()

    async def receive(self, pieces: AsyncIterator[bytes], most_bytes: int) -> "FolderDraft":
        """Write a stream to a draft; raise `TooLarge` beyond `most_bytes`."""
        path = self._folder.new_draft()
        sha256, size = await self._folder.write(path, limited(pieces, most_bytes))
        return FolderDraft(sha256, size, path, self)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces."""
        with ExitStack() as opened:
            async for piece in await self._folder.read(self._folder.path(sha256), opened):
                yield piece

    @asynccontextmanager
    async def located(self, sha256: str) -> AsyncIterator[Path]:
        """Give the file in which the bytes lie."""
        yield self._folder.path(sha256)

    async def forget(self, hashes: Collection[str]) -> None:
        """Remove the bytes that no row refers to."""
        for sha256 in await self._rows.unused(hashes):
            # Asked again: the same content may have been added since.
            async with self._changing.held():
                if await self._rows.unused([sha256]):
                    await in_thread(self._folder.remove, sha256)

    async def keep_house(self) -> None:
        """Remove old drafts, and bytes without a row."""
        await in_thread(self._folder.remove_old_drafts)
        await self.forget(await in_thread(self._folder.names))

    @asynccontextmanager
    async def keep(self, draft: "FolderDraft") -> AsyncIterator[None]:
        """Have a draft's bytes in their place, and nobody remove them before the block ends."""
        async with self._changing.held():
            await in_thread(self._folder.place, draft.path, draft.sha256)
            yield


@dataclass(frozen=True)
class FolderDraft:
    """Bytes in a file of their own."""

    sha256: str
    bytes: int
    path: Path
    blobs: FolderBlobs

    def kept(self) -> AbstractAsyncContextManager[None]:
        """Have the bytes in their place while the block inserts their row."""
        return self.blobs.keep(self)

    async def discard(self) -> None:
        """Remove the bytes, if they were not kept."""
        await in_thread(self.path.unlink, missing_ok=True)
