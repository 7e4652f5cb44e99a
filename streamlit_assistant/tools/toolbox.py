"""What the server's tools work with, given to the runs by whoever opens it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamlit_assistant.file_records import File, SearchQuery, SearchResult


class Searcher(Protocol):
    """Finds passages in vector stores."""

    async def search(
        self, vector_store_ids: Sequence[str], query: SearchQuery
    ) -> Sequence[SearchResult]:
        """Return the best passages first."""
        ...


class Indexing(Protocol):
    """Knows which files are being made searchable."""

    async def wait_until_indexed(self, vector_store_ids: Sequence[str], seconds: float) -> bool:
        """Return whether all files of the stores are indexed, at the latest after `seconds`."""
        ...


class ImageFiles(Protocol):
    """Gives the model uploaded images."""

    async def data_url(self, owner: str, file_id: str) -> str | None:
        """Return the image in a `data:` address, or None where it is gone."""
        ...


class FileKeeper(Protocol):
    """Keeps and gives files."""

    async def add(
        self, owner: str, filename: str, purpose: str, pieces: AsyncIterator[bytes]
    ) -> File:
        """Store a new file."""
        ...

    async def get(self, owner: str, file_id: str) -> File:
        """Return a file, or raise `NotFound`."""
        ...

    async def read(self, file: File) -> AsyncIterator[bytes]:
        """Return its bytes in pieces."""
        ...


@dataclass(frozen=True)
class Toolbox:
    """Everything a run may use."""

    searcher: Searcher
    indexing: Indexing
    images: ImageFiles
    files: FileKeeper
