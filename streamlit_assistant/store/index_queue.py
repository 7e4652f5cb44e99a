"""What waits to be indexed: the files of vector stores that are `in_progress`."""

from collections.abc import Collection

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import (
    IndexStatus,
    VectorStore,
    VectorStoreFile,
    WaitingFile,
)
from streamlit_assistant.records import Clock
from streamlit_assistant.store.chunk_removal import remove_all, remove_piece
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.file_tables import (
    IS_BEING_INDEXED,
    vector_store_files,
    vector_stores,
)
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.vector_store_files import set_status
from streamlit_assistant.store.vector_store_rows import has_expired
from streamlit_assistant.store.vector_stores import NOBODY

_files = vector_store_files.c
_UNWANTED = (IndexStatus.CANCELLED, IndexStatus.FAILED)


class IndexQueue:
    """Hands out waiting files and takes what became of them. The rows are the queue."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def next(self, behind: str, but: Collection[int]) -> WaitingFile | None:
        """Return the oldest waiting file of the next vector store, without those in `but`.

        The next one is that whose id follows `behind`; begin again with "" after the last.
        """
        query = (
            select(
                vector_store_files, vector_stores.c.seq.label("store_seq"), vector_stores.c.owner
            )
            .join(vector_stores, _files.vector_store_id == vector_stores.c.id)
            .where(IS_BEING_INDEXED, _files.vector_store_id > behind, _files.seq.not_in(but))
            .order_by(_files.vector_store_id, _files.seq)
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        return WaitingFile(to_record(VectorStoreFile, row), row["store_seq"], row["owner"])

    async def wants(self, waiting: WaitingFile) -> bool:
        """Whether the file is still to be indexed as it was handed out."""
        async with self._database.read() as connection:
            return await _unchanged(connection, waiting) is not None

    async def complete(self, waiting: WaitingFile, usage_bytes: int) -> bool:
        """Make the stored chunks count; False where nobody wants them any more."""
        async with self._database.write() as connection:
            file = await _unchanged(connection, waiting)
            if file is None:
                return False
            await set_status(connection, file, IndexStatus.COMPLETED, usage_bytes)
            return True

    async def fail(self, waiting: WaitingFile, code: str, message: str) -> None:
        """Note why the file could not be indexed, if it is still to be."""
        async with self._database.write() as connection:
            file = await _unchanged(connection, waiting)
            if file is not None:
                error = {"code": code, "message": message}
                await set_status(connection, file, IndexStatus.FAILED, last_error=error)

    async def clear(self, waiting: WaitingFile) -> None:
        """Remove the chunks of a file that was cancelled or failed."""
        unwanted = _files.status.in_(_UNWANTED)
        await remove_all(
            self._database, select(_files.seq).where(_files.seq == waiting.file.seq, unwanted)
        )

    async def tidy(self) -> None:
        """Remove deleted vector stores, and the chunks of expired ones, which stay as they are."""
        deleted = vector_stores.c.owner == NOBODY
        expired = has_expired(self._clock()) & (vector_stores.c.usage_bytes > 0)
        query = select(vector_stores).where(or_(deleted, expired))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        for store in [to_record(VectorStore, row) for row in rows]:
            await self._tidy(store)

    async def _tidy(self, store: VectorStore) -> None:
        files = select(_files.seq).where(_files.vector_store_id == store.id)
        gone = False
        while not gone:
            async with self._database.write() as connection:
                gone = await remove_piece(connection, files)
                if gone:
                    await _close(connection, store)


async def _close(connection: AsyncConnection, store: VectorStore) -> None:
    mine = vector_stores.c.id == store.id
    if store.owner == NOBODY:
        await connection.execute(delete(vector_stores).where(mine))
        return
    of_store = _files.vector_store_id == store.id
    await connection.execute(update(vector_store_files).where(of_store).values(usage_bytes=0))
    await connection.execute(update(vector_stores).where(mine).values(usage_bytes=0))


async def _unchanged(connection: AsyncConnection, waiting: WaitingFile) -> VectorStoreFile | None:
    query = select(vector_store_files).where(
        _files.seq == waiting.file.seq, _files.status == IndexStatus.IN_PROGRESS
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None or row["chunking_strategy"] != waiting.file.chunking_strategy:
        return None
    return to_record(VectorStoreFile, row)
