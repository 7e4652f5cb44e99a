"""Documents put into vector stores as the indexer does it, to be searched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamlit_assistant.file_records import (
    FilledVectorStore,
    NewChunk,
    SearchQuery,
    SearchResult,
    VectorStore,
    VectorStoreFile,
    WaitingFile,
)
from streamlit_assistant.files.chunking import CHUNK_TOKENS, OVERLAP_TOKENS, chunk
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.files.terms import Analyzer
from streamlit_assistant.store import Store
from tests.factories import OWNER
from tests.file_factories import make_file, make_store_file, make_vector_store


class NoEmbeddings:
    """A site whose model server has none."""

    async def embedder(self) -> None:
        """Return nobody."""


class Shelf:
    """Vector stores that documents are put into, and searched in."""

    def __init__(self, store: Store, search: FileSearch | None = None) -> None:
        self.store = store
        self.search = search or FileSearch(store, NoEmbeddings())

    async def vector_store(self) -> VectorStore:
        """Add an empty one."""
        return await self.store.vector_stores.add(FilledVectorStore(make_vector_store()))

    async def put(self, where: VectorStore, text: str, **fields: Any) -> VectorStoreFile:
        """Put a text into a vector store and index it. `filename` and `attributes` as fields."""
        chunks = chunk(text, CHUNK_TOKENS, OVERLAP_TOKENS, Analyzer())
        waiting = await self.wait(where, **fields)
        await self.index(waiting, chunks)
        return waiting.file

    async def wait(self, where: VectorStore, **fields: Any) -> WaitingFile:
        """Add a file that is still to be indexed."""
        filename = fields.pop("filename", "notes.txt")
        file = await self.store.files.add(make_file(filename=filename))
        added = await self.store.vector_store_files.add(
            OWNER, make_store_file(file.id, where.id, **fields)
        )
        return await self.claim(added)

    async def claim(self, file: VectorStoreFile) -> WaitingFile:
        """Take a waiting file, as the indexer does."""
        others: list[int] = []
        while True:
            waiting = await self.store.index_queue.claim("shelf", "", others)
            assert waiting is not None, "it is not waiting"
            if waiting.file.seq == file.seq:
                return waiting
            others.append(waiting.file.seq)

    async def index(self, waiting: WaitingFile, chunks: Sequence[NewChunk]) -> None:
        """Make a file's chunks searchable."""
        await self.search.store_chunks(waiting, chunks)
        assert await self.store.index_queue.complete(waiting, 1)

    async def find(self, *where: VectorStore, **query: Any) -> list[SearchResult]:
        """Search; `query` or `queries`, and the other fields of a search query."""
        queries = query.pop("queries", None) or [query.pop("query")]
        ids = [vector_store.id for vector_store in where]
        return await self.search.search(ids, SearchQuery(queries, **query))


def written(folder: Path, name: str, data: bytes) -> Path:
    """A file with these bytes, under a name that does not tell its kind, as files are kept."""
    path = folder / name.replace(".", "_")
    path.write_bytes(data)
    return path
