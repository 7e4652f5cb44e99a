"""A folder of blobs under their hashes, and of drafts that are still being written."""

import hashlib
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from typing import Protocol

from streamlit_assistant.data_folder import PRIVATE_FILE, PRIVATE_FOLDER
from streamlit_assistant.errors import StartError
from streamlit_assistant.files.blobs import DRAFT_SECONDS, PIECE_BYTES, gathered
from streamlit_assistant.records import new_id
from streamlit_assistant.untorn import in_thread

_NAME = re.compile(r"[0-9a-f]{64}")


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class BlobFolder:
    """Files on disk, private and written whole. `open` before use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blobs = path / "blobs"
        self._incoming = path / "incoming"

    async def open(self) -> None:
        """Make the folders, and remove old drafts; raise `StartError`."""
        try:
            await in_thread(self._prepare)
        except OSError as error:
            raise StartError(
                f"DATA_DIR: the folder {self._path} cannot be used ({error.strerror}); "
                "make it writable, or choose another place."
            ) from error

    def path(self, sha256: str) -> Path:
        """Return where a blob lies, if it is there."""
        return self._blobs / sha256[:2] / sha256

    def new_draft(self) -> Path:
        """Return where a draft may be written."""
        return self._incoming / new_id("draft")

    async def write(self, draft: Path, pieces: AsyncIterator[bytes]) -> tuple[str, int]:
        """Write a stream to a draft; return its hash and its size.

        Whatever ends it early, the caller's cancellation included, leaves no draft behind.
        """
        digest = hashlib.sha256()
        written = 0
        is_whole = False
        try:
            await in_thread(_create, draft)
            async for piece in gathered(pieces):
                await in_thread(_append, draft, piece, digest)
                written += len(piece)
            await in_thread(_sync, draft)
            is_whole = True
        finally:
            if not is_whole:
                await in_thread(draft.unlink, missing_ok=True)
        return digest.hexdigest(), written

    async def read(self, path: Path, opened: ExitStack) -> AsyncIterator[bytes]:
        """Open a file, which `opened` closes, and return its bytes in pieces."""
        # Entered by the thread: a cancellation in between must not lose the open file.
        return _pieces(await in_thread(_open, opened, path))

    def place(self, draft: Path, sha256: str) -> None:
        """Move a draft to where its content belongs, in whatever thread this is."""
        path = self._made_room(sha256)
        draft.replace(path)
        # The name must be on disk before the row is: a row may survive a power cut at once.
        _sync(path.parent)

    def share(self, draft: Path, sha256: str) -> None:
        """Let a draft be found under its content's hash as well, as just used."""
        _mark_used(draft)
        with suppress(FileExistsError):
            self._made_room(sha256).hardlink_to(draft)

    def take(self, sha256: str, name: Path) -> bool:
        """Let a blob be found under another name as well, as just used; whether it was there."""
        try:
            name.hardlink_to(self.path(sha256))
        except FileNotFoundError:
            return False
        _mark_used(name)
        return True

    def remove(self, sha256: str) -> None:
        """Remove a blob, if it is there."""
        self.path(sha256).unlink(missing_ok=True)

    def remove_old_drafts(self) -> None:
        """Remove the drafts of processes that were killed, those of a living neighbour never."""
        newest = time.time() - DRAFT_SECONDS
        for draft in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # it became a blob this instant
                if draft.stat().st_mtime < newest:
                    draft.unlink()

    def names(self) -> list[str]:
        """Return the hash of every blob there is."""
        return [file.name for file in self._blobs.glob("??/*") if _NAME.fullmatch(file.name)]

    def trim(self, most_bytes: int) -> None:
        """Remove blobs, the least recently used first, until there is no more than this."""
        found = []
        for name in self.names():
            with suppress(FileNotFoundError):  # removed this instant
                state = self.path(name).stat()
                found.append((state.st_mtime_ns, name, state.st_size))
        held = sum(size for _, _, size in found)
        for _, name, size in sorted(found):
            if held <= most_bytes:
                return
            self.remove(name)
            held -= size

    def _prepare(self) -> None:
        for folder in (self._path.parent, self._path, self._blobs, self._incoming):
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
        self.remove_old_drafts()

    def _made_room(self, sha256: str) -> Path:
        path = self.path(sha256)
        if not path.parent.is_dir():
            path.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            _sync(self._blobs)
        return path


async def _pieces(file: FileIO) -> AsyncIterator[bytes]:
    while piece := await in_thread(file.read, PIECE_BYTES):
        yield piece


def _mark_used(path: Path) -> None:
    now = time.time_ns()  # the system's own marks are some milliseconds apart
    os.utime(path, ns=(now, now))


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))


def _open(stack: ExitStack, path: Path) -> FileIO:
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
