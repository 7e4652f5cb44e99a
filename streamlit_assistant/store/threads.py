"""Threads in the database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.records import Clock, Message, Page, PageQuery, Thread
from streamlit_assistant.store.attached_files import insert_vector_store
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.messages import active_run_id, insert_messages
from streamlit_assistant.store.mirror_changes import note_cleared
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import threads
from streamlit_assistant.store.temporary_threads import expire_made_files, forget_left

_OF_OWNER = select(threads).where(
    threads.c.owner == bindparam("owner"), threads.c.id == bindparam("id")
)
_LOCKED_OF_OWNER = _OF_OWNER.with_for_update()


class Threads:
    """The `threads` table."""

    def __init__(self, database: Database, clock: Clock, on_change: Callable[[], None]) -> None:
        """`on_change` is called when messages have been stored or removed."""
        self._database = database
        self._clock = clock
        self._on_change = on_change

    async def add(
        self,
        thread: Thread,
        messages: Sequence[Message] = (),
        stores: Sequence[FilledVectorStore] = (),
    ) -> Thread:
        """Store a new thread together with its first messages and the vector stores made for it.

        Returns it with what the messages have attached.
        """

        async def add(connection: AsyncConnection) -> Thread:
            await insert_thread(connection, thread, messages, stores)
            return await find_thread(connection, thread.owner, thread.id)

        stored = await self._database.transact(add)
        self._on_change()
        return stored

    async def get(self, owner: str, thread_id: str) -> Thread:
        """Return the owner's thread, or raise `NotFound`."""
        async with self._database.read() as connection:
            return await find_thread(connection, owner, thread_id)

    async def page(self, owner: str, query: PageQuery) -> Page[Thread]:
        """Return a page of the owner's threads that hold messages, by their last activity.

        Temporary ones are in no list.
        """
        async with self._database.read() as connection:
            return await read_page(
                connection,
                threads,
                Thread,
                query,
                threads.c.owner == owner,
                threads.c.last_message_seq > 0,
                ~threads.c.temporary,
                noun="thread",
                by=("last_message_seq", "seq"),
            )

    async def modify(
        self,
        owner: str,
        thread_id: str,
        changes: Mapping[str, Any],
        stores: Sequence[FilledVectorStore] = (),
    ) -> Thread:
        """Change the named fields, store what was made for them, and return the whole."""
        if not changes:
            return await self.get(owner, thread_id)
        query = update(threads).where(*_of(owner, thread_id)).values(dict(changes))

        async def modify(connection: AsyncConnection) -> RowMapping | None:
            for made in stores:
                await insert_vector_store(connection, made)
            found = await connection.execute(query.returning(threads))
            row: RowMapping | None = found.mappings().first()
            return row

        row = await self._database.transact(modify)
        if row is None:
            raise _unknown(thread_id)
        return to_record(Thread, row)

    async def delete(self, owner: str, thread_id: str) -> str | None:
        """Remove it with its messages, runs, steps and events; return the run it was locked by."""
        query = delete(threads).where(*_of(owner, thread_id))

        async def remove(connection: AsyncConnection) -> str | None:
            # First what ends its run would lock first; it locks the thread after that as well.
            await active_run_id(connection, thread_id, lock=True)
            thread = await find_thread(connection, owner, thread_id, lock=True)
            run_id = await active_run_id(connection, thread_id)
            if thread.temporary:
                await expire_made_files(connection, thread_id)
            await connection.execute(query)
            if not thread.temporary:
                await note_cleared(connection, thread_id, int(self._clock()))
            return run_id

        locked_by = await self._database.transact(remove)
        self._on_change()
        return locked_by

    async def forget_left(self, since: int) -> None:
        """Remove the temporary threads in which nothing has happened since a time."""
        while await self._database.transact(lambda connection: forget_left(connection, since)):
            pass


async def insert_thread(
    connection: AsyncConnection,
    thread: Thread,
    messages: Sequence[Message],
    stores: Sequence[FilledVectorStore] = (),
) -> None:
    """Store a thread, its vector stores and first messages in the caller's transaction."""
    for made in stores:
        await insert_vector_store(connection, made)
    row = to_row(threads, thread) | {"last_active_at": thread.created_at}
    await connection.execute(insert(threads), row)
    await insert_messages(connection, thread.id, messages)


async def find_thread(
    connection: AsyncConnection, owner: str, thread_id: str, *, lock: bool = False
) -> Thread:
    """Return the owner's thread, or raise `NotFound`; `lock` it in order to write."""
    query = _LOCKED_OF_OWNER if lock else _OF_OWNER
    found = await connection.execute(query, {"owner": owner, "id": thread_id})
    row = found.mappings().first()
    if row is None:
        raise _unknown(thread_id)
    return to_record(Thread, row)


def _of(owner: str, thread_id: str) -> tuple[Any, Any]:
    return threads.c.owner == owner, threads.c.id == thread_id


def _unknown(thread_id: str) -> NotFound:
    return NotFound(f"No thread found with id '{thread_id}'.")
