"""An archive in a folder. What is in it is its owner's alone to read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from streamlit_assistant.archive.archive_errors import NotArchived, PlaceTrouble
from streamlit_assistant.archive.places import (
    BEGINNING,
    FOLDER,
    Found,
    file_chunks,
    named_thread,
    object_name,
)

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
DRAFT = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class FolderPlace:
    """A folder of this machine, or of one that is mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def make(self) -> None:
        """Make the folder if need be, within one that is there already."""
        with self._plain():
            for folder in (self._path, self._path / FOLDER):
                with suppress(FileExistsError):
                    folder.mkdir(PRIVATE_FOLDER)
                    _settle(folder.parent)

    def ensure_there(self) -> None:
        """See that there are objects to read, or could be."""
        with self._plain():
            os.listdir(self._path / FOLDER)

    @contextmanager
    def draft(self, thread_id: str) -> Iterator[IO[bytes]]:
        """Give a file beside the objects; what an ended process left of it is written over."""
        path = self._draft(thread_id)
        with self._plain():
            try:
                with os.fdopen(os.open(path, DRAFT, PRIVATE_FILE), "w+b") as file:
                    yield file
            finally:
                path.unlink(missing_ok=True)

    def publish(self, thread_id: str, draft: IO[bytes]) -> None:
        """Write the draft to the disk, then give it its name, then write that to the disk."""
        with self._plain():
            draft.flush()
            os.fsync(draft.fileno())
            path = self._object(thread_id)
            os.replace(self._draft(thread_id), path)
            _settle(path.parent)

    def chunks(self, thread_id: str) -> Iterator[bytes]:
        """Yield what an object consists of."""
        with self.fetched(thread_id) as file:
            yield from file_chunks(file)

    @contextmanager
    def fetched(self, thread_id: str) -> Iterator[IO[bytes]]:
        """Give the object itself."""
        with self._plain(), self._opened(thread_id) as file:
            yield file

    def beginning(self, found: Found) -> bytes:
        """Return the first bytes of an object."""
        with self.fetched(found.thread_id) as file:
            return file.read(BEGINNING)

    def found(self) -> Iterator[Found]:
        """Yield the objects in the order of their names."""
        with self._plain():
            for name in sorted(os.listdir(self._path / FOLDER)):
                thread_id = named_thread(name)
                size = self._size(thread_id) if thread_id else None
                if thread_id and size is not None:
                    yield Found(thread_id, size)

    def remove(self, thread_id: str) -> None:
        """Remove an object, if it is there."""
        with self._plain():
            path = self._object(thread_id)
            path.unlink(missing_ok=True)
            _settle(path.parent)

    def _opened(self, thread_id: str) -> IO[bytes]:
        path = self._object(thread_id)
        try:
            if self._size(thread_id) is not None:
                return path.open("rb")
        except OSError as error:
            reason = error.strerror or str(error)
            raise PlaceTrouble(f"The file {path} cannot be read ({reason}).") from error
        raise NotArchived(f"{self} holds no {thread_id}.")

    def _size(self, thread_id: str) -> int | None:
        """Return None where there is no file: whoever opens a pipe waits for somebody to write."""
        try:
            there = self._object(thread_id).stat()
        except FileNotFoundError:  # or not any more
            return None
        return there.st_size if stat.S_ISREG(there.st_mode) else None

    def _object(self, thread_id: str) -> Path:
        return self._path / object_name(thread_id)

    def _draft(self, thread_id: str) -> Path:
        path = self._object(thread_id)
        return path.with_name(f".{path.name}.part")

    @contextmanager
    def _plain(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise PlaceTrouble(f"The folder {self} cannot be used ({reason}).") from error


def _settle(folder: Path) -> None:
    """Write the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
