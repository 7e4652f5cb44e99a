"""What the server's tools work with, given to the runs by whoever opens it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamlit_assistant.file_records import SearchQuery, SearchResult


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


@dataclass(frozen=True)
class Toolbox:
    """Everything a run may use."""

    searcher: Searcher
    indexing: Indexing
    images: ImageFiles
