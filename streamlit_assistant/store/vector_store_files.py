"""The files of vector stores in the database."""

from collections.abc import Mapping

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import AttributeValue, IndexStatus, VectorStoreFile
from streamlit_assistant.records import Clock, Page, PageQuery
from streamlit_assistant.store.attached_files import attach_files
from streamlit_assistant.store.chunk_removal import remove_piece
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.file_tables import vector_store_files
from streamlit_assistant.store.index_counters import CounterChange
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record


class VectorStoreFiles:
    """The `vector_store_files` table. A file's id is unique only within its vector store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, owner: str, file: VectorStoreFile) -> VectorStoreFile:
        """Put the owner's file into a vector store of the owner, to be indexed."""
        async with self._database.write() as connection:
            await attach_files(connection, owner, [file], int(self._clock()))
            return await find_file(connection, file.vector_store_id, file.id)

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
        async with self._database.write() as connection:
            found = await find_file(connection, vector_store_id, file_id)
            mine = vector_store_files.c.seq == found.seq
            query = update(vector_store_files).where(mine).values(attributes=dict(attributes))
            await connection.execute(query)
            return await find_file(connection, vector_store_id, file_id)

    async def remove(self, vector_store_id: str, file_id: str) -> None:
        """Take a file out of a vector store, with its chunks; the file itself stays."""
        gone = False
        while not gone:
            async with self._database.write() as connection:
                found = await find_file(connection, vector_store_id, file_id)
                gone = await _remove(connection, found)

    async def remove_everywhere(self, file_id: str) -> None:
        """Take a file out of every vector store."""
        query = select(vector_store_files).where(vector_store_files.c.id == file_id)
        gone = False
        while not gone:
            async with self._database.write() as connection:
                row = (await connection.execute(query.limit(1))).mappings().first()
                gone = row is None
                if row is not None:
                    await _remove(connection, to_record(VectorStoreFile, row))


async def forget_file(connection: AsyncConnection, file_id: str) -> None:
    """Take a file out of every vector store in the caller's transaction, however long it takes."""
    mine = vector_store_files.c.id == file_id
    found = (await connection.execute(select(vector_store_files).where(mine))).mappings()
    for file in [to_record(VectorStoreFile, row) for row in found]:
        await _delete_row(connection, file)


async def find_file(
    connection: AsyncConnection, vector_store_id: str, file_id: str
) -> VectorStoreFile:
    """Return one file of a vector store, or raise `NotFound`."""
    query = select(vector_store_files).where(
        vector_store_files.c.vector_store_id == vector_store_id,
        vector_store_files.c.id == file_id,
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise NotFound(
            f"No file found with id '{file_id}' in vector store '{vector_store_id}'.",
        )
    return to_record(VectorStoreFile, row)


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
    await connection.execute(
        update(vector_store_files)
        .where(vector_store_files.c.seq == file.seq)
        .values(status=status, usage_bytes=usage_bytes, last_error=last_error)
    )
    change = CounterChange().leave(file.status, file.usage_bytes).enter(status, usage_bytes)
    await change.apply(connection, file.vector_store_id)
