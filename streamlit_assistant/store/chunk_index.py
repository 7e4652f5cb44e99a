"""Finds chunks by the words they are indexed under, and gives what ranking has to know of them.

What databases have in common is here; each has a full-text index of its own kind over the table
`chunks`. A deletion of chunks removes them from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, Text, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import AttributeValue, IndexStatus, WaitingFile
from streamlit_assistant.records import JSON
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import chunks, files, vector_store_files, vector_stores
from streamlit_assistant.store.vector_store_rows import NOBODY

_indexed = vector_store_files.c


@dataclass(frozen=True)
class Frequencies:
    """In how many chunks words stand, wherever these are; how many there are to search, and at all.

    The last two may be too high. Where the words stand in very many, the numbers are estimates.
    """

    words: Mapping[str, int]
    searched: int
    everywhere: int


@dataclass(frozen=True)
class ChunkWords:
    """A chunk as ranking sees it."""

    seq: int
    file_seq: int
    position: int
    terms: str


@dataclass(frozen=True)
class FoundChunk:
    """A chunk as it is shown."""

    text: str
    file_id: str
    filename: str
    attributes: Mapping[str, AttributeValue]


class ChunkIndex(ABC):
    """Reads the full-text index and the chunks behind it, and writes both."""

    piece: int  # chunks a transaction: the index makes each slow, and others want to write
    # The index as a table: the number of a chunk, and what it is found under.
    _mark: Callable[[int], str]  # the key of all chunks of a vector store in the index
    _index: FromClause
    _number: ColumnElement[int]
    _terms: ColumnElement[str]

    def __init__(self, database: Database) -> None:
        self._database = database

    @abstractmethod
    def entry(self, waiting: WaitingFile, terms: str) -> JSON:
        """Return what the index holds of a chunk of a file with these words."""

    @abstractmethod
    async def add(
        self, connection: AsyncConnection, rows: Sequence[JSON], entries: Sequence[JSON]
    ) -> None:
        """Store chunks, each with its entry of the index, in the caller's transaction."""

    @abstractmethod
    async def _count(self, keys: Sequence[str]) -> tuple[Mapping[str, int], int]:
        """Return in how many chunks each of the keys stands, and how many there are at all."""

    async def frequencies(self, stores: Sequence[int], terms: Collection[str]) -> Frequencies:
        """Return in how many chunks the words stand."""
        marks = {self._mark(store) for store in stores}
        found, everywhere = await self._count([*marks, *terms])
        searched = sum(count for key, count in found.items() if key in marks)
        words = {term: found[term] for term in terms if term in found}
        return Frequencies(words, searched, everywhere)

    @abstractmethod
    async def matches(
        self,
        stores: Sequence[int],
        known: Frequencies,
        limit: int,
        files: Collection[int] | None = None,
    ) -> list[tuple[int, float]]:
        """Return the chunks with the highest BM25 that hold any of the words, best first."""

    async def stores(self, vector_store_ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return `seq` and id of each vector store that exists."""
        store = vector_stores.c
        query = select(store.seq, store.id).where(
            store.id.in_(vector_store_ids), store.owner != NOBODY
        )
        async with self._database.read() as connection:
            return [(seq, store_id) for seq, store_id in await connection.execute(query)]

    async def files(self, vector_store_ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return `seq` and attributes, as JSON text, of every file that is indexed."""
        query = select(_indexed.seq, cast(_indexed.attributes, Text)).where(
            *_is_indexed(vector_store_ids)
        )
        async with self._database.read() as connection:
            return [(seq, attributes) for seq, attributes in await connection.execute(query)]

    async def revisions(self, vector_store_id: str) -> dict[int, int]:
        """Return of every file that is indexed, by `seq`, how often it has been by now."""
        query = select(_indexed.seq, _indexed.revision).where(*_is_indexed([vector_store_id]))
        async with self._database.read() as connection:
            return {seq: revision for seq, revision in await connection.execute(query)}

    async def described(
        self, seqs: Collection[int], vector_store_ids: Sequence[str]
    ) -> list[ChunkWords]:
        """Return those of the chunks that stand in indexed files of the vector stores."""
        # The index is not believed: chunks of files that are being replaced are in it as well.
        query = (
            select(chunks.c.seq, chunks.c.file_seq, chunks.c.position, self._terms)
            .join(vector_store_files, _indexed.seq == chunks.c.file_seq)
            .join(self._index, self._number == chunks.c.seq)
            .where(chunks.c.seq.in_(seqs), *_is_indexed(vector_store_ids))
        )
        async with self._database.read() as connection:
            return [ChunkWords(*row) for row in await connection.execute(query)]

    async def found(self, seqs: Collection[int]) -> dict[int, FoundChunk]:
        """Return the chunks to show, by `seq`."""
        query = (
            select(chunks.c.seq, chunks.c.text, files.c.id, files.c.filename, _indexed.attributes)
            .join(vector_store_files, _indexed.seq == chunks.c.file_seq)
            .join(files, files.c.id == _indexed.id)
            .where(chunks.c.seq.in_(seqs))
        )
        async with self._database.read() as connection:
            return {seq: FoundChunk(*shown) for seq, *shown in await connection.execute(query)}

    async def vectors(self, files: Collection[int], model: str) -> list[tuple[int, int, bytes]]:
        """Return `seq`, file and vector of the files' chunks, as far as the model made them."""
        query = select(chunks.c.seq, chunks.c.file_seq, chunks.c.embedding).where(
            chunks.c.file_seq.in_(files), chunks.c.embedding_model == model
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(chunks.c.file_seq))
            return [(seq, file_seq, vector) for seq, file_seq, vector in rows]


def _is_indexed(vector_store_ids: Sequence[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    completed = _indexed.status == IndexStatus.COMPLETED
    return completed, _indexed.vector_store_id.in_(vector_store_ids)
