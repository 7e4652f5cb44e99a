"""The chunks of documents in the database, and beside them in the full-text index."""

import asyncio
from collections.abc import Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import NewChunk, WaitingFile
from streamlit_assistant.records import JSON
from streamlit_assistant.store.chunk_index import ChunkIndex
from streamlit_assistant.store.chunk_removal import remove_piece
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import chunks, vector_store_files
from streamlit_assistant.store.index_lease import find_wanted


class Chunks:
    """The `chunks` table, written together with the index over it."""

    def __init__(self, database: Database, index: ChunkIndex) -> None:
        self._database = database
        self._index = index

    async def replace(
        self,
        waiting: WaitingFile,
        new: Sequence[NewChunk],
        vectors: Sequence[bytes] | None = None,
        model: str | None = None,
    ) -> None:
        """Put these chunks in place of those that a file of a vector store has.

        They are written piece by piece and found only once the file is `completed`. Nothing more is
        written as soon as the file is no longer to be indexed, or by somebody else.
        """
        while not await self._database.transact(partial(_remove_some, waiting=waiting)):
            pass
        embeddings: Sequence[bytes | None] = vectors or [None] * len(new)
        for at in range(0, len(new), self._index.piece):
            some = slice(at, at + self._index.piece)
            rows = _rows(waiting, at, new[some], embeddings[some], model)
            # In a thread: it takes so long that followers of runs would notice.
            entries = await asyncio.to_thread(self._entries, waiting, new[some])
            add = partial(self._add_some, waiting=waiting, rows=rows, entries=entries)
            if not await self._database.transact(add):
                return

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

    def _entries(self, waiting: WaitingFile, new: Sequence[NewChunk]) -> list[JSON]:
        return [self._index.entry(waiting, chunk.terms) for chunk in new]

    async def _add_some(
        self,
        connection: AsyncConnection,
        waiting: WaitingFile,
        rows: Sequence[JSON],
        entries: Sequence[JSON],
    ) -> bool:
        if await find_wanted(connection, waiting, lock=True) is None:
            return False
        await self._index.add(connection, rows, entries)
        return True


def _rows(
    waiting: WaitingFile,
    first: int,
    new: Sequence[NewChunk],
    embeddings: Sequence[bytes | None],
    model: str | None,
) -> list[JSON]:
    return [
        {
            "file_seq": waiting.file.seq,
            "position": position,
            "start": chunk.start,
            "text": chunk.text,
            "embedding": embedding,
            "embedding_model": model if embedding is not None else None,
        }
        for position, (chunk, embedding) in enumerate(zip(new, embeddings, strict=True), first)
    ]


async def _remove_some(connection: AsyncConnection, waiting: WaitingFile) -> bool:
    if await find_wanted(connection, waiting, lock=True) is None:
        return True
    mine = vector_store_files.c.seq == waiting.file.seq
    return await remove_piece(connection, select(vector_store_files.c.seq).where(mine))
