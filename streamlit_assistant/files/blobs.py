"""Bytes on disk under the hash of their content; streamed in and out, never held in memory.

It knows no rows. Whoever adds or removes them holds `changing`

    to add     while renaming the draft into place and inserting the row, in this order
    to remove  while seeing that no row refers to the bytes any more and unlinking them

Without the lock the bytes could be unlinked between an addition's rename and its row. In this
order a crash leaves bytes without a row, which housekeeping removes, never a row without bytes.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from streamlit_assistant.data_folder import PRIVATE_FILE, PRIVATE_FOLDER
from streamlit_assistant.errors import StartError
from streamlit_assistant.records import new_id

PIECE_BYTES = 1024 * 1024  # what a worker thread writes, hashes or reads at once
_NAME = re.compile(r"[0-9a-f]{64}")

P = ParamSpec("P")
T = TypeVar("T")


class TooLarge(Exception):
    """More bytes came than may be received."""


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Draft:
    """Received bytes that belong to nobody yet: to be kept or discarded."""

    sha256: str
    bytes: int
    path: Path

    async def discard(self) -> None:
        """Remove the bytes, if they were not kept."""
        await in_thread(self.path.unlink, missing_ok=True)


class BlobStore:
    """A folder of blobs. `open` before use."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"
        self.changing = asyncio.Lock()

    async def open(self) -> None:
        """Make the folders, and remove the drafts that a killed process left."""
        try:
            await in_thread(self._prepare)
        except OSError as error:
            raise StartError(
                f"DATA_DIR: the folder {self._blobs.parent} cannot be used ({error.strerror}); "
                "make it writable, or choose another place."
            ) from error

    async def receive(self, pieces: AsyncIterator[bytes], most_bytes: int) -> Draft:
        """Write a stream to a draft; raise `TooLarge` beyond `most_bytes`.

        Whatever ends it early, the caller's cancellation included, leaves no draft behind.
        """
        path = self._incoming / new_id("draft")
        digest = hashlib.sha256()
        received: Draft | None = None
        written = 0
        try:
            await in_thread(_create, path)
            async for piece in gathered(pieces):
                written += len(piece)
                if written > most_bytes:
                    raise TooLarge
                await in_thread(_append, path, piece, digest)
            await in_thread(_sync, path)
            received = Draft(digest.hexdigest(), written, path)
            return received
        finally:
            if received is None:
                await in_thread(path.unlink, missing_ok=True)

    async def keep(self, draft: Draft) -> None:
        """Move a draft to where its content belongs; the same content is there once."""
        await in_thread(self._place, draft)

    async def remove(self, sha256: str) -> None:
        """Remove the bytes, if they are there; who still reads them reads to their end."""
        await in_thread(self.path(sha256).unlink, missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where the bytes lie."""
        return self._blobs / sha256[:2] / sha256

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces."""
        with ExitStack() as opened:
            # Entered by the thread: a cancellation in between must not lose the open file.
            file = await in_thread(_opened, opened, self.path(sha256))
            while piece := await in_thread(file.read, PIECE_BYTES):
                yield piece

    async def names(self) -> list[str]:
        """Return the hash of every blob there is."""
        return await in_thread(self._list)

    def _prepare(self) -> None:
        for folder in (self._blobs.parent, self._blobs, self._incoming):
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
        for draft in self._incoming.iterdir():
            draft.unlink()

    def _place(self, draft: Draft) -> None:
        path = self.path(draft.sha256)
        if not path.parent.is_dir():
            path.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            _sync(self._blobs)
        draft.path.replace(path)
        # The name must be on disk before the row is: a row may survive a power cut at once.
        _sync(path.parent)

    def _list(self) -> list[str]:
        return [file.name for file in self._blobs.glob("??/*") if _NAME.fullmatch(file.name)]


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run blocking work in a thread; a cancellation waits until the thread is done."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **options))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Nobody may unlink a draft while a thread is still about to write it.
        # Starlette cancels again and again when a client has hung up.
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        task.exception()  # nobody else will ask for it
        raise


async def gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join small pieces to ones of `PIECE_BYTES`: each costs a change of threads."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))


def _opened(stack: ExitStack, path: Path) -> FileIO:
    return stack.enter_context(FileIO(path))


def _append(path: Path, piece: bytes, digest: _Digest) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(0, os.SEEK_END)
        view = memoryview(piece)
        while view:
            view = view[file.write(view) :]
    digest.update(piece)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
