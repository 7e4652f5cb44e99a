"""The full-text index of SQLite, FTS5: the table `chunk_terms`, whose rows have chunks' numbers."""

import json
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Integer, Text, column, insert, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import WaitingFile
from streamlit_assistant.records import JSON
from streamlit_assistant.store.chunk_index import ChunkIndex, Frequencies
from streamlit_assistant.store.file_tables import chunks

_LAST_SEQ = text("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")
_ADD_ENTRY = text("INSERT INTO chunk_terms (rowid, store, terms) VALUES (:seq, :store, :terms)")
_FREQUENCIES = text(
    "SELECT term, doc FROM chunk_vocabulary WHERE term IN (SELECT value FROM json_each(:terms))"
)
_IN_FILES = (
    "AND rowid IN (SELECT seq FROM chunks WHERE file_seq IN (SELECT value FROM json_each(:files))) "
)
_MATCHES = (
    "SELECT rowid, bm25(chunk_terms, 0.0, 1.0) AS badness FROM chunk_terms "
    "WHERE chunk_terms MATCH :words {in_files}ORDER BY badness LIMIT :limit"
)
_CHUNK_TERMS = table("chunk_terms", column("rowid", Integer), column("terms", Text))


def _mark(store_seq: int) -> str:
    """Return the word under which the chunks of a vector store stand in the index."""
    return f"s{store_seq}"


class SqliteChunkIndex(ChunkIndex):
    """Reads and writes FTS5."""

    piece = 200  # some 60 ms, in which nobody else writes
    _mark = staticmethod(_mark)
    _index = _CHUNK_TERMS
    _number = _CHUNK_TERMS.c.rowid
    _terms = _CHUNK_TERMS.c.terms

    def entry(self, waiting: WaitingFile, terms: str) -> JSON:
        """Return what the index holds of a chunk of a file with these words."""
        return {"store": _mark(waiting.store_seq), "terms": terms}

    async def add(
        self, connection: AsyncConnection, rows: Sequence[JSON], entries: Sequence[JSON]
    ) -> None:
        """Store chunks, each with its entry of the index, in the caller's transaction."""
        # Numbered here: the index must know the numbers, and many rows at once do not tell theirs.
        last = (await connection.execute(_LAST_SEQ)).scalar() or 0
        for statement, those in ((insert(chunks), rows), (_ADD_ENTRY, entries)):
            numbered = [{"seq": seq, **row} for seq, row in enumerate(those, last + 1)]
            await connection.execute(statement, numbered)

    async def _count(self, keys: Sequence[str]) -> tuple[Mapping[str, int], int]:
        async with self._database.read() as connection:
            rows = await connection.execute(_FREQUENCIES, {"terms": json.dumps(keys)})
            found = {term: count for term, count in rows}
            return found, (await connection.execute(_LAST_SEQ)).scalar() or 0

    async def matches(
        self,
        stores: Sequence[int],
        known: Frequencies,
        limit: int,
        files: Collection[int] | None = None,
    ) -> list[tuple[int, float]]:
        """Return the chunks with the highest BM25 that hold any of the words, best first."""
        of_stores = " OR ".join(map(_mark, stores))
        any_term = " OR ".join(f'"{term}"' for term in known.words)
        values = {"words": f"store : ({of_stores}) AND terms : ({any_term})", "limit": limit}
        if files is not None:
            values["files"] = json.dumps(list(files))
        query = text(_MATCHES.format(in_files="" if files is None else _IN_FILES))
        async with self._database.read() as connection:
            rows = await connection.execute(query, values)
            return [(seq, -badness) for seq, badness in rows]
