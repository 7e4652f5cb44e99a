"""The chunks of documents in the database, and beside them in the full-text index."""

from collections.abc import Sequence

from sqlalchemy import Integer, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import IndexStatus, NewChunk
from streamlit_assistant.records import JSON
from streamlit_assistant.store.chunk_removal import remove_all
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.file_tables import chunks, vector_store_files

PIECE = 200  # chunks a transaction, some 60 ms: others want to write in between

_LAST_SEQ = text("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")
_ADD_TERMS = text("INSERT INTO chunk_terms (rowid, store, terms) VALUES (:seq, :store, :terms)")


def store_word(store_seq: int) -> str:
    """Return the word under which the chunks of a vector store stand in the full-text index."""
    return f"s{store_seq}"


class Chunks:
    """The `chunks` table and the index over it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self,
        file_seq: int,
        store_seq: int,
        new: Sequence[NewChunk],
        vectors: Sequence[bytes] | None = None,
        model: str | None = None,
    ) -> None:
        """Put these chunks in place of those that a file of a vector store has.

        They are written piece by piece and found only once the file is `completed`. Nothing more is
        written as soon as the file is no longer to be indexed.
        """
        await remove_all(self._database, select(literal(file_seq, Integer)))
        embeddings: Sequence[bytes | None] = vectors or [None] * len(new)
        for at in range(0, len(new), PIECE):
            rows: list[JSON] = [
                {
                    "file_seq": file_seq,
                    "position": position,
                    "start": chunk.start,
                    "text": chunk.text,
                    "embedding": embedding,
                    "embedding_model": model if embedding is not None else None,
                }
                for position, (chunk, embedding) in enumerate(
                    zip(new[at : at + PIECE], embeddings[at : at + PIECE], strict=True), at
                )
            ]
            terms = [chunk.terms for chunk in new[at : at + PIECE]]
            async with self._database.write() as connection:
                if not await _is_wanted(connection, file_seq):
                    return
                await _add(connection, rows, terms, store_word(store_seq))

    async def texts(self, file_seq: int) -> list[str]:
        """Return a file's text in pieces that follow each other, without what chunks share."""
        query = (
            select(chunks.c.start, chunks.c.text)
            .where(chunks.c.file_seq == file_seq)
            .order_by(chunks.c.position)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        pieces: list[str] = []
        told = 0  # characters of the document that are in the pieces already
        for start, piece in rows:
            pieces.append(piece[max(told - start, 0) :].lstrip() if told else piece)
            told = start + len(piece)
        return [piece for piece in pieces if piece]


async def _is_wanted(connection: AsyncConnection, file_seq: int) -> bool:
    files = vector_store_files.c
    query = select(files.seq).where(files.seq == file_seq, files.status == IndexStatus.IN_PROGRESS)
    return (await connection.execute(query)).first() is not None


async def _add(
    connection: AsyncConnection, rows: Sequence[JSON], terms: Sequence[str], word: str
) -> None:
    # Numbered here: the index must know the numbers, and many rows at once do not tell theirs.
    last = (await connection.execute(_LAST_SEQ)).scalar() or 0
    numbers = range(last + 1, last + 1 + len(rows))
    numbered = [{"seq": seq, **row} for seq, row in zip(numbers, rows, strict=True)]
    found_under = [
        {"seq": seq, "store": word, "terms": words}
        for seq, words in zip(numbers, terms, strict=True)
    ]
    await connection.execute(insert(chunks), numbered)
    await connection.execute(_ADD_TERMS, found_under)
