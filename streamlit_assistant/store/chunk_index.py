"""Finds chunks by the words they are indexed under, and gives what ranking has to know of them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, bindparam, text

from streamlit_assistant.file_records import AttributeValue
from streamlit_assistant.store.chunks import store_word
from streamlit_assistant.store.engine import Database

# A deleted one has no owner; its chunks are removed little by little.
_STORES = text("SELECT seq, id FROM vector_stores WHERE id IN :ids AND owner <> ''").bindparams(
    bindparam("ids", expanding=True)
)
_FILES = text(
    "SELECT seq, attributes FROM vector_store_files "
    "WHERE vector_store_id IN :ids AND status = 'completed'"
).bindparams(bindparam("ids", expanding=True))
_FREQUENCIES = text(
    "SELECT term, doc FROM chunk_vocabulary WHERE term IN (SELECT value FROM json_each(:terms))"
)
_TOTAL = text("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")
_IN_FILES = (
    "AND rowid IN (SELECT seq FROM chunks WHERE file_seq IN (SELECT value FROM json_each(:files))) "
)
_MATCHES = (
    "SELECT rowid, bm25(chunk_terms, 0.0, 1.0) AS badness FROM chunk_terms "
    "WHERE chunk_terms MATCH :words {in_files}ORDER BY badness LIMIT :limit"
)
# The index is not believed: what is returned stands in a completed file of the stores searched.
_DESCRIBED = text(
    "SELECT c.seq, c.file_seq, c.position, t.terms FROM chunks c "
    "JOIN vector_store_files f ON f.seq = c.file_seq "
    "JOIN chunk_terms t ON t.rowid = c.seq "
    "WHERE c.seq IN (SELECT value FROM json_each(:seqs)) "
    "AND f.status = 'completed' AND f.vector_store_id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_FOUND = text(
    "SELECT c.seq, c.text, f.attributes, f.id AS file_id, files.filename FROM chunks c "
    "JOIN vector_store_files f ON f.seq = c.file_seq JOIN files ON files.id = f.id "
    "WHERE c.seq IN (SELECT value FROM json_each(:seqs))"
)
_VECTORS = text(
    "SELECT seq, file_seq, embedding FROM chunks "
    "WHERE file_seq IN (SELECT value FROM json_each(:files)) AND embedding_model = :model "
    "ORDER BY file_seq"
)


@dataclass(frozen=True)
class Frequencies:
    """In how many chunks words stand, wherever these are; how many there are to search, and at all.

    The last two may be too high.
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


class ChunkIndex:
    """Reads the full-text index, and the chunks behind it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stores(self, vector_store_ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return `seq` and id of each vector store that exists."""
        async with self._database.read() as connection:
            rows = await connection.execute(_STORES, {"ids": list(vector_store_ids)})
            return [(seq, store_id) for seq, store_id in rows]

    async def files(self, vector_store_ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return `seq` and attributes, as JSON text, of every file that is indexed."""
        async with self._database.read() as connection:
            rows = await connection.execute(_FILES, {"ids": list(vector_store_ids)})
            return [(seq, attributes) for seq, attributes in rows]

    async def frequencies(self, stores: Sequence[int], terms: Collection[str]) -> Frequencies:
        """Return in how many chunks the words stand."""
        marks = set(map(store_word, stores))
        values = {"terms": json.dumps([*marks, *terms])}
        async with self._database.read() as connection:
            rows = await connection.execute(_FREQUENCIES, values)
            found = {term: count for term, count in rows}
            everywhere = (await connection.execute(_TOTAL)).scalar() or 0
        searched = sum(count for term, count in found.items() if term in marks)
        words = {term: found[term] for term in terms if term in found}
        return Frequencies(words, searched, everywhere)

    async def matches(
        self,
        stores: Sequence[int],
        terms: Collection[str],
        limit: int,
        files: Collection[int] | None = None,
    ) -> list[tuple[int, float]]:
        """Return the chunks with the highest BM25 that hold any of the words, best first."""
        of_stores = " OR ".join(map(store_word, stores))
        any_term = " OR ".join(f'"{term}"' for term in terms)
        values = {"words": f"store : ({of_stores}) AND terms : ({any_term})", "limit": limit}
        if files is not None:
            values["files"] = json.dumps(list(files))
        query = text(_MATCHES.format(in_files="" if files is None else _IN_FILES))
        async with self._database.read() as connection:
            rows = await connection.execute(query, values)
            return [(seq, -badness) for seq, badness in rows]

    async def described(
        self, seqs: Collection[int], vector_store_ids: Sequence[str]
    ) -> list[ChunkWords]:
        """Return those of the chunks that stand in indexed files of the vector stores."""
        values = {"seqs": json.dumps(list(seqs)), "ids": list(vector_store_ids)}
        async with self._database.read() as connection:
            rows = await connection.execute(_DESCRIBED, values)
            return [ChunkWords(*row) for row in rows]

    async def found(self, seqs: Collection[int]) -> dict[int, FoundChunk]:
        """Return the chunks to show, by `seq`."""
        async with self._database.read() as connection:
            rows = await connection.execute(_FOUND, {"seqs": json.dumps(list(seqs))})
            return {row.seq: _found(row) for row in rows}

    async def vectors(self, files: Collection[int], model: str) -> list[tuple[int, int, bytes]]:
        """Return `seq`, file and vector of the files' chunks, as far as the model made them."""
        async with self._database.read() as connection:
            values = {"files": json.dumps(list(files)), "model": model}
            rows = await connection.execute(_VECTORS, values)
            return [(seq, file_seq, vector) for seq, file_seq, vector in rows]


def _found(row: Row[tuple[object, ...]]) -> FoundChunk:
    return FoundChunk(row.text, row.file_id, row.filename, json.loads(row.attributes))
