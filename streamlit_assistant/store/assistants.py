"""Assistants in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.records import Assistant, Page, PageQuery
from streamlit_assistant.store.attached_files import insert_vector_store
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import assistants

_OF_OWNER = select(assistants).where(
    assistants.c.owner == bindparam("owner"), assistants.c.id == bindparam("id")
)

RESTORING = 0x5A02  # the lock of whoever puts an assistant back


class Assistants:
    """The `assistants` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, assistant: Assistant, stores: Sequence[FilledVectorStore] = ()
    ) -> Assistant:
        """Store a new assistant together with the vector stores made for it."""

        async def add(connection: AsyncConnection) -> None:
            for made in stores:
                await insert_vector_store(connection, made)
            await connection.execute(insert(assistants).values(to_row(assistants, assistant)))

        await self._database.transact(add)
        return assistant

    async def restore(self, assistant: Assistant) -> None:
        """Store an assistant if it is not there."""
        mine = _of(assistant.owner, assistant.id)
        query = select(assistants.c.seq).where(*mine)
        async with self._database.read() as connection:
            if (await connection.execute(query)).first() is not None:
                return

        async def restore(connection: AsyncConnection) -> None:
            await self._database.lock(connection, RESTORING)
            if (await connection.execute(query)).first() is None:
                row = to_row(assistants, assistant)
                await connection.execute(insert(assistants).values(row))

        await self._database.transact(restore)

    async def get(self, owner: str, assistant_id: str) -> Assistant:
        """Return the owner's assistant, or raise `NotFound`."""
        named = {"owner": owner, "id": assistant_id}
        async with self._database.read() as connection:
            row = (await connection.execute(_OF_OWNER, named)).mappings().first()
        if row is None:
            raise _unknown(assistant_id)
        return to_record(Assistant, row)

    async def page(self, owner: str, query: PageQuery) -> Page[Assistant]:
        """Return a page of the owner's assistants."""
        async with self._database.read() as connection:
            mine = assistants.c.owner == owner
            return await read_page(connection, assistants, Assistant, query, mine, noun="assistant")

    async def modify(
        self,
        owner: str,
        assistant_id: str,
        changes: Mapping[str, Any],
        stores: Sequence[FilledVectorStore] = (),
    ) -> Assistant:
        """Change the named fields, store what was made for them, and return the whole."""
        if not changes:
            return await self.get(owner, assistant_id)
        query = update(assistants).where(*_of(owner, assistant_id)).values(dict(changes))

        async def modify(connection: AsyncConnection) -> RowMapping | None:
            for made in stores:
                await insert_vector_store(connection, made)
            found = await connection.execute(query.returning(assistants))
            row: RowMapping | None = found.mappings().first()
            return row

        row = await self._database.transact(modify)
        if row is None:
            raise _unknown(assistant_id)
        return to_record(Assistant, row)

    async def delete(self, owner: str, assistant_id: str) -> None:
        """Remove it; threads and runs that used it stay."""
        query = delete(assistants).where(*_of(owner, assistant_id))

        async def remove(connection: AsyncConnection) -> None:
            if (await connection.execute(query)).rowcount == 0:
                raise _unknown(assistant_id)

        await self._database.transact(remove)


def _of(owner: str, assistant_id: str) -> tuple[Any, Any]:
    return assistants.c.owner == owner, assistants.c.id == assistant_id


def _unknown(assistant_id: str) -> NotFound:
    return NotFound(f"No assistant found with id '{assistant_id}'.")
