"""Where an archive lies, one object a thread; what every such place can do."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from streamlit_assistant.archive import thread_object
from streamlit_assistant.archive.archive_errors import (
    ArchiveError,
    BrokenObject,
    PlaceTrouble,
)
from streamlit_assistant.archive.thread_ids import THREAD_ID
from streamlit_assistant.archive.thread_object import Checked, Header
from streamlit_assistant.archive.thread_rows import RowCheck

FOLDER, SUFFIX = "threads", ".ndjson.gz"
BEGINNING = 4096  # bytes of an object that hold its first line


@dataclass(frozen=True)
class Found:
    """An object of the archive."""

    thread_id: str
    size: int


class Place(Protocol):
    """A folder or a bucket. What it cannot do it says in a `PlaceTrouble`, which names it."""

    def __str__(self) -> str:
        """Return its name for people; nothing secret is in it."""

    def make(self) -> None:
        """Make it if need be, and if it is one that we can make."""

    def ensure_there(self) -> None:
        """See that it holds an archive, as far as can be seen without asking for an object."""

    def draft(self, thread_id: str) -> AbstractContextManager[IO[bytes]]:
        """Give a file to write an object to, which nobody sees and which goes with the block."""

    def publish(self, thread_id: str, draft: IO[bytes]) -> None:
        """Put what was written under the thread's name: all of it or nothing, and for good."""

    def chunks(self, thread_id: str) -> Iterator[bytes]:
        """Yield what an object consists of; raise `NotArchived`."""

    def fetched(self, thread_id: str) -> AbstractContextManager[IO[bytes]]:
        """Give an object as a file that can be read more than once; raise `NotArchived`."""

    def beginning(self, found: Found) -> bytes:
        """Return the first bytes of an object."""

    def found(self) -> Iterator[Found]:
        """Yield the objects in the order of their names."""

    def remove(self, thread_id: str) -> None:
        """Remove an object, for good."""


def object_name(thread_id: str) -> str:
    """Return what the object of a thread is called within its place."""
    return f"{FOLDER}/{thread_id}{SUFFIX}"


def named_thread(name: str) -> str | None:
    """Return the thread whose object is called so, None if it is none of ours."""
    thread_id = name.rpartition("/")[2].removesuffix(SUFFIX)
    return thread_id if name.endswith(SUFFIX) and THREAD_ID.fullmatch(thread_id) else None


def file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what a file holds, from its beginning."""
    file.seek(0)
    while chunk := file.read(1 << 18):
        yield chunk


@contextmanager
def temporary_file() -> Iterator[IO[bytes]]:
    """Give a file of this machine without a name; raise `PlaceTrouble`."""
    try:
        with tempfile.TemporaryFile(prefix="archive-") as file:
            yield file
    except OSError as error:
        # Which folder that is cannot be asked for: there may be none where anything can be written.
        raise PlaceTrouble(
            f"Temporary files cannot be written ({error.strerror or error}); "
            "TMPDIR may name another folder for them."
        ) from error


def check(place: Place, thread_id: str, chunks: Iterator[bytes]) -> Checked:
    """Read an object to its end; raise `ArchiveError` unless it is whole and can be read by us."""
    with _naming(place, thread_id):
        row_check = RowCheck(thread_id)
        checked = thread_object.check(chunks, thread_id, row_check.add)
        row_check.end()
        return checked


def header(place: Place, found: Found) -> Header:
    """Return the first line of an object; raise `ArchiveError`."""
    with _naming(place, found.thread_id):
        return thread_object.read_header(thread_object.first_line(place.beginning(found)))


@contextmanager
def _naming(place: Place, thread_id: str) -> Iterator[None]:
    try:
        yield
    except PlaceTrouble:
        raise  # it has said so
    except BrokenObject as error:
        raise BrokenObject(
            f"What {place} holds of {thread_id} cannot be restored: {error}."
        ) from error
    except ArchiveError as error:
        raise ArchiveError(f"{thread_id} cannot be restored from {place}: {error}.") from error
