"""The files of vector stores in the database."""

from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import AttributeValue, IndexStatus, VectorStoreFile
from streamlit_assistant.records import Clock, Page, PageQuery
from streamlit_assistant.store.attached_files import attach_files
from streamlit_assistant.store.chunk_removal import remove_piece
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import vector_store_files, vector_stores
from streamlit_assistant.store.index_counters import CounterChange
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.vector_store_rows import lock_vector_store


class VectorStoreFiles:
    """The `vector_store_files` table. A file's id is unique only within its vector store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, owner: str, file: VectorStoreFile) -> VectorStoreFile:
        """Put the owner's file into a vector store of the owner, to be indexed."""

        async def add(connection: AsyncConnection) -> VectorStoreFile:
            await attach_files(connection, owner, [file], int(self._clock()))
            return await find_file(connection, file.vector_store_id, file.id)

        return await self._database.transact(add)

    async def get(self, vector_store_id: str, file_id: str) -> VectorStoreFile:
        """Return one file of a vector store, or raise `NotFound`."""
        async with self._database.read() as connection:
            return await find_file(connection, vector_store_id, file_id)

    async def page(
        self, vector_store_id: str, query: PageQuery, status: IndexStatus | None = None
    ) -> Page[VectorStoreFile]:
        """Return a page of a vector store's files, of one status if asked."""
        async with self._database.read() as connection:
            return await read_page(
                connection,
                vector_store_files,
                VectorStoreFile,
                query,
                vector_store_files.c.vector_store_id == vector_store_id,
                *([vector_store_files.c.status == status] if status else []),
                noun="vector store file",
            )

    async def set_attributes(
        self, vector_store_id: str, file_id: str, attributes: Mapping[str, AttributeValue]
    ) -> VectorStoreFile:
        """Replace a file's attributes and return the whole."""
        mine = _of(vector_store_id, file_id)
        query = update(vector_store_files).where(*mine).values(attributes=dict(attributes))

        async def change(connection: AsyncConnection) -> VectorStoreFile:
            await connection.execute(query)
            return await find_file(connection, vector_store_id, file_id)

        return await self._database.transact(change)

    async def remove(self, vector_store_id: str, file_id: str) -> None:
        """Take a file out of a vector store, with its chunks; the file itself stays."""

        async def remove_some(connection: AsyncConnection) -> bool:
            await lock_vector_store(connection, vector_store_id)
            return await _remove(connection, await find_file(connection, vector_store_id, file_id))

        while not await self._database.transact(remove_some):
            pass

    async def remove_everywhere(self, file_id: str) -> None:
        """Take a file out of every vector store."""
        query = select(vector_store_files.c.vector_store_id)
        query = query.where(vector_store_files.c.id == file_id).limit(1)
        while True:
            async with self._database.read() as connection:
                vector_store_id = (await connection.execute(query)).scalar()
            if vector_store_id is None:
                return
            with suppress(NotFound):  # somebody else was faster
                await self.remove(vector_store_id, file_id)


async def forget_file(connection: AsyncConnection, file_id: str) -> None:
    """Take a file out of every vector store in the caller's transaction, however long it takes."""
    mine = vector_store_files.c.id == file_id
    of_stores = select(vector_store_files.c.vector_store_id).where(mine)
    stores = select(vector_stores.c.seq).where(vector_stores.c.id.in_(of_stores))
    await connection.execute(stores.order_by(vector_stores.c.seq).with_for_update())
    found = (await connection.execute(select(vector_store_files).where(mine))).mappings()
    for file in [to_record(VectorStoreFile, row) for row in found]:
        await _delete_row(connection, file)


async def find_file(
    connection: AsyncConnection, vector_store_id: str, file_id: str
) -> VectorStoreFile:
    """Return one file of a vector store, or raise `NotFound`."""
    query = select(vector_store_files).where(*_of(vector_store_id, file_id))
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise NotFound(
            f"No file found with id '{file_id}' in vector store '{vector_store_id}'.",
        )
    return to_record(VectorStoreFile, row)


def _of(vector_store_id: str, file_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    files = vector_store_files.c
    return files.vector_store_id == vector_store_id, files.id == file_id


async def _remove(connection: AsyncConnection, file: VectorStoreFile) -> bool:
    seqs = select(vector_store_files.c.seq).where(vector_store_files.c.seq == file.seq)
    if await remove_piece(connection, seqs):
        await _delete_row(connection, file)
        return True
    if file.status is not IndexStatus.CANCELLED:
        # With some of its text missing it must neither be found nor pass for whole.
        await set_status(connection, file, IndexStatus.CANCELLED)
    return False


async def _delete_row(connection: AsyncConnection, file: VectorStoreFile) -> None:
    mine = vector_store_files.c.seq == file.seq
    await connection.execute(delete(vector_store_files).where(mine))
    change = CounterChange().leave(file.status, file.usage_bytes)
    await change.apply(connection, file.vector_store_id)


async def set_status(
    connection: AsyncConnection,
    file: VectorStoreFile,
    status: IndexStatus,
    usage_bytes: int = 0,
    last_error: dict[str, str] | None = None,
) -> None:
    """Move a file to another status, and the counters of its vector store with it."""
    files = vector_store_files.c
    values = {
        "status": status,
        "usage_bytes": usage_bytes,
        "last_error": last_error,
        "lease_owner": None,
        "revision": files.revision + int(status is IndexStatus.COMPLETED),
    }
    await connection.execute(update(vector_store_files).where(files.seq == file.seq).values(values))
    change = CounterChange().leave(file.status, file.usage_bytes).enter(status, usage_bytes)
    await change.apply(connection, file.vector_store_id)
