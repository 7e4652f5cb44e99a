"""Assistants in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.records import Assistant, Page, PageQuery
from streamlit_assistant.store.attached_files import insert_vector_store
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import assistants

_OF_OWNER = select(assistants).where(
    assistants.c.owner == bindparam("owner"), assistants.c.id == bindparam("id")
)


class Assistants:
    """The `assistants` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, assistant: Assistant, stores: Sequence[FilledVectorStore] = ()
    ) -> Assistant:
        """Store a new assistant together with the vector stores made for it."""
        async with self._database.write() as connection:
            for made in stores:
                await insert_vector_store(connection, made)
            await connection.execute(insert(assistants).values(to_row(assistants, assistant)))
        return assistant

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
        async with self._database.write() as connection:
            for made in stores:
                await insert_vector_store(connection, made)
            row = (await connection.execute(query.returning(assistants))).mappings().first()
        if row is None:
            raise _unknown(assistant_id)
        return to_record(Assistant, row)

    async def delete(self, owner: str, assistant_id: str) -> None:
        """Remove it; threads and runs that used it stay."""
        query = delete(assistants).where(*_of(owner, assistant_id))
        async with self._database.write() as connection:
            if (await connection.execute(query)).rowcount == 0:
                raise _unknown(assistant_id)


def _of(owner: str, assistant_id: str) -> tuple[Any, Any]:
    return assistants.c.owner == owner, assistants.c.id == assistant_id


def _unknown(assistant_id: str) -> NotFound:
    return NotFound(f"No assistant found with id '{assistant_id}'.")
