"""What waits to be indexed: the files of vector stores that are `in_progress`.

Processes take them like runs: under their name, until they are done or their row is gone.
"""

from collections.abc import Collection

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import (
    IndexStatus,
    VectorStore,
    VectorStoreFile,
    WaitingFile,
)
from streamlit_assistant.records import Clock
from streamlit_assistant.store.chunk_removal import remove_all, remove_piece
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import (
    IS_BEING_INDEXED,
    vector_store_files,
    vector_stores,
)
from streamlit_assistant.store.index_lease import find_wanted
from streamlit_assistant.store.process_tables import executors
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.vector_store_files import set_status
from streamlit_assistant.store.vector_store_rows import NOBODY, has_expired, lock_vector_store

_files = vector_store_files.c
_UNWANTED = (IndexStatus.CANCELLED, IndexStatus.FAILED)


class IndexQueue:
    """Hands out waiting files and takes what became of them. The rows are the queue."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(
        self, lease_owner: str, behind: str, but: Collection[int]
    ) -> WaitingFile | None:
        """Take the oldest waiting file of the next vector store, without those in `but`.

        The next one is that whose id follows `behind`; begin again with "" after the last. What
        other living processes have taken is left to them.
        """
        query = _free(lease_owner, behind, but)
        async with self._database.read() as connection:
            if (await connection.execute(query)).first() is None:
                return None

        async def claim(connection: AsyncConnection) -> WaitingFile | None:
            return await _taken(connection, query, lease_owner)

        return await self._database.transact(claim)

    async def wants(self, waiting: WaitingFile) -> bool:
        """Whether the file is still to be indexed as it was handed out."""
        async with self._database.read() as connection:
            return await find_wanted(connection, waiting) is not None

    async def complete(self, waiting: WaitingFile, usage_bytes: int) -> bool:
        """Make the stored chunks count; False where nobody wants them any more."""

        async def complete(connection: AsyncConnection) -> bool:
            file = await _lock_wanted(connection, waiting)
            if file is None:
                return False
            await set_status(connection, file, IndexStatus.COMPLETED, usage_bytes)
            return True

        return await self._database.transact(complete)

    async def fail(self, waiting: WaitingFile, code: str, message: str) -> None:
        """Note why the file could not be indexed, if it is still to be."""
        error = {"code": code, "message": message}

        async def fail(connection: AsyncConnection) -> None:
            file = await _lock_wanted(connection, waiting)
            if file is not None:
                await set_status(connection, file, IndexStatus.FAILED, last_error=error)

        await self._database.transact(fail)

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

        async def remove_some(connection: AsyncConnection) -> bool:
            await lock_vector_store(connection, store.id)
            gone = await remove_piece(connection, files)
            if gone:
                await _close(connection, store)
            return gone

        while not await self._database.transact(remove_some):
            pass


async def _close(connection: AsyncConnection, store: VectorStore) -> None:
    mine = vector_stores.c.id == store.id
    if store.owner == NOBODY:
        await connection.execute(delete(vector_stores).where(mine))
        return
    of_store = _files.vector_store_id == store.id
    await connection.execute(update(vector_store_files).where(of_store).values(usage_bytes=0))
    await connection.execute(update(vector_stores).where(mine).values(usage_bytes=0))


def _free(lease_owner: str, behind: str, but: Collection[int]) -> Select[tuple[int]]:
    abandoned = _files.lease_owner.not_in(select(executors.c.name))
    is_free = or_(_files.lease_owner.is_(None), _files.lease_owner == lease_owner, abandoned)
    query = select(_files.seq).where(
        IS_BEING_INDEXED, _files.vector_store_id > behind, _files.seq.not_in(but), is_free
    )
    return query.order_by(_files.vector_store_id, _files.seq).limit(1)


async def _taken(
    connection: AsyncConnection, query: Select[tuple[int]], lease_owner: str
) -> WaitingFile | None:
    # What another process is just taking is passed over.
    free = query.with_for_update(skip_locked=True).scalar_subquery()
    taken = update(vector_store_files).where(_files.seq == free).values(lease_owner=lease_owner)
    row = (await connection.execute(taken.returning(vector_store_files))).mappings().first()
    if row is None:
        return None
    mine = vector_stores.c.id == row["vector_store_id"]
    store = (await connection.execute(select(vector_stores).where(mine))).mappings().one()
    return WaitingFile(to_record(VectorStoreFile, row), store["seq"], store["owner"], lease_owner)


async def _lock_wanted(connection: AsyncConnection, waiting: WaitingFile) -> VectorStoreFile | None:
    await lock_vector_store(connection, waiting.file.vector_store_id)
    return await find_wanted(connection, waiting, lock=True)
