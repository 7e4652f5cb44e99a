"""The full-text index of PostgreSQL: the table `chunk_terms`, whose rows have chunks' numbers.

A GIN index knows which rows hold a key, and nothing of how often. So a word is a key, and a word
that stands in a chunk twice or more is a key of its own for that; BM25 takes it from there, without
reading any chunk. What vector store a chunk is in is a key as well.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, Text, column, insert, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import WaitingFile
from streamlit_assistant.records import JSON
from streamlit_assistant.store.chunk_index import ChunkIndex, Frequencies
from streamlit_assistant.store.file_tables import chunks

# From how many times on a word has which further sign behind it, as a key; no word holds these.
LEVELS = {1: "", 2: "\x01", 4: "\x02"}
TYPICAL = (0.0, 1.0, 2.4, 6.0)  # how often a word stands in a chunk: not at all, and at each level
MOST_COUNTED = 20_000  # rows with a key; where there are more, their number is an estimate
# A word that stands in more chunks is looked for in each vector store by itself.
COMMON = 1_000
K1, B = 1.2, 0.75  # BM25's usual constants, which SQLite has as well

_ADD_ENTRY = text(
    "INSERT INTO chunk_terms (seq, store_seq, file_seq, length, terms, words) VALUES "
    "(:seq, :store_seq, :file_seq, :length, :terms, string_to_array(CAST(:words AS text), ' '))"
)
# Rows lie in the order of their numbers: how far one got says how many there are altogether. The
# limit is no parameter, or the planner, which knows many questions by one plan, would take it for a
# small one and read all chunks instead of the index.
_FREQUENCIES = """
    SELECT key, counted, last
    FROM unnest(CAST(:keys AS text[])) AS asked (key)
    CROSS JOIN LATERAL (
        SELECT count(*) AS counted, max(seq) AS last
        FROM (SELECT seq FROM chunk_terms WHERE words @> ARRAY[key] LIMIT {most}) AS held
    ) AS holding
    WHERE counted > 0
"""
_LAST_SEQ = text("SELECT last_value FROM chunks_seq_seq WHERE is_called")
# OFFSET keeps the planner from beginning with the chunks, of whose keys it knows nothing.
_MATCHES = text("""
    WITH hits AS MATERIALIZED (
        SELECT seq, length, rarity, often, less
        FROM unnest(
            CAST(:keys AS text[]), CAST(:marks AS text[]), CAST(:rarities AS float8[]),
            CAST(:often AS float8[]), CAST(:less AS float8[])
        ) AS asked (key, mark, rarity, often, less)
        CROSS JOIN LATERAL (
            SELECT seq, length FROM chunk_terms
            WHERE words @> CASE WHEN mark IS NULL THEN ARRAY[key] ELSE ARRAY[key, mark] END
            AND store_seq = ANY(CAST(:stores AS bigint[]))
            AND (CAST(:files AS bigint[]) IS NULL OR file_seq = ANY(CAST(:files AS bigint[])))
            OFFSET 0
        ) AS held
    ),
    typical AS (SELECT CAST(avg(length) AS float8) AS length FROM hits),
    damped AS (
        SELECT seq, rarity, often, less,
            CAST(:k1 AS float8) * (
                1 - CAST(:b AS float8) + CAST(:b AS float8) * hits.length / typical.length
            ) AS k
        FROM hits CROSS JOIN typical
    )
    SELECT seq, sum(rarity * (often / (often + k) - less / (less + k))) AS score
    FROM damped GROUP BY seq ORDER BY score DESC, seq LIMIT :limit
""")
_CHUNK_TERMS = table("chunk_terms", column("seq", BigInteger), column("terms", Text))


def _mark(store_seq: int) -> str:
    """Return the key of all chunks of a vector store."""
    return f"\x01{store_seq}"


class PostgresChunkIndex(ChunkIndex):
    """Reads and writes the index."""

    piece = 50  # some 200 ms, in which nobody else changes the file
    _mark = staticmethod(_mark)
    _index = _CHUNK_TERMS
    _number = _CHUNK_TERMS.c.seq
    _terms = _CHUNK_TERMS.c.terms

    def entry(self, waiting: WaitingFile, terms: str) -> JSON:
        """Return what the index holds of a chunk of a file with these words."""
        words = terms.split()
        return {
            "store_seq": waiting.store_seq,
            "file_seq": waiting.file.seq,
            "length": len(words),
            "terms": terms,
            "words": " ".join([_mark(waiting.store_seq), *_keys(words)]),
        }

    async def add(
        self, connection: AsyncConnection, rows: Sequence[JSON], entries: Sequence[JSON]
    ) -> None:
        """Store chunks, each with its entry of the index, in the caller's transaction."""
        stored = insert(chunks).returning(chunks.c.position, chunks.c.seq)
        seqs = {place: seq for place, seq in await connection.execute(stored, rows)}
        numbered = [
            {"seq": seqs[row["position"]], **entry}
            for row, entry in zip(rows, entries, strict=True)
        ]
        await connection.execute(_ADD_ENTRY, numbered)

    async def _count(self, keys: Sequence[str]) -> tuple[Mapping[str, int], int]:
        query = text(_FREQUENCIES.format(most=MOST_COUNTED))
        async with self._database.read() as connection:
            everywhere = (await connection.execute(_LAST_SEQ)).scalar() or 0
            found = {
                key: counted if counted < MOST_COUNTED else counted * everywhere // last
                for key, counted, last in await connection.execute(query, {"keys": keys})
            }
        return found, everywhere

    async def matches(
        self,
        stores: Sequence[int],
        known: Frequencies,
        limit: int,
        files: Collection[int] | None = None,
    ) -> list[tuple[int, float]]:
        """Return the chunks with the highest BM25 that hold any of the words, best first."""
        names = ("keys", "marks", "rarities", "often", "less")
        columns = map(list, zip(*_asked(stores, known), strict=True))
        values: JSON = dict(zip(names, columns, strict=True))
        values |= {"stores": list(stores), "limit": limit, "k1": K1, "b": B}
        values["files"] = None if files is None else list(files)
        async with self._database.read() as connection:
            rows = await connection.execute(_MATCHES, values)
            return [(seq, score) for seq, score in rows]


def _keys(words: Iterable[str]) -> list[str]:
    """Return the keys of a chunk with these words."""
    counted = Counter(words).items()
    return [
        word + sign for word, count in counted for least, sign in LEVELS.items() if count >= least
    ]


def _asked(stores: Sequence[int], known: Frequencies) -> Iterator[tuple[Any, ...]]:
    """Give each key, where, the rarity of its word, how often it stands there, and at least."""
    for word, count in known.words.items():
        # As SQLite has it: what stands in most chunks says nothing.
        rarity = max(math.log((known.everywhere - count + 0.5) / (count + 0.5)), 1e-6)
        marks = [None] if count <= COMMON else [_mark(store) for store in stores]
        for sign, (less, often) in zip(LEVELS.values(), pairwise(TYPICAL), strict=True):
            for mark in marks:
                yield word + sign, mark, rarity * (K1 + 1), often, less
