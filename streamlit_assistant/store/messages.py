"""Messages in the database."""

from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.records import Message, Page, PageQuery
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import IS_ACTIVE, messages, runs, threads

TITLE_LENGTH = 60  # characters of the first question that name a thread


class Messages:
    """The `messages` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, message: Message) -> Message:
        """Append to the thread; refused while a run is active on it."""
        async with self._database.write() as connection:
            await _refuse_while_run_is_active(connection, message.thread_id)
            await insert_messages(connection, message.thread_id, [message])
        return message

    async def get(self, thread_id: str, message_id: str) -> Message:
        """Return one message, or raise `NotFound`."""
        query = select(messages).where(
            messages.c.thread_id == thread_id, messages.c.id == message_id
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"No message found with id '{message_id}'.")
        return to_record(Message, row)

    async def page(
        self, thread_id: str, query: PageQuery, run_id: str | None = None
    ) -> Page[Message]:
        """Return a page of the thread's messages, of one run if asked."""
        where = [messages.c.thread_id == thread_id]
        if run_id is not None:
            where.append(messages.c.run_id == run_id)
        async with self._database.read() as connection:
            return await read_page(connection, messages, Message, query, *where, noun="message")

    async def newest(self, thread_id: str, limit: int) -> list[Message]:
        """Return the last messages of the thread, oldest first."""
        page = await self.page(thread_id, PageQuery(limit=limit))
        return list(page.items)[::-1]


async def insert_messages(
    connection: AsyncConnection, thread_id: str, new: Sequence[Message]
) -> None:
    """Append messages and note the thread's activity, in the caller's transaction."""
    if not new:
        return
    await connection.execute(insert(messages), [to_row(messages, message) for message in new])
    newest = select(func.max(messages.c.seq)).where(messages.c.thread_id == thread_id)
    await connection.execute(
        update(threads)
        .where(threads.c.id == thread_id)
        .values(
            last_message_seq=newest.scalar_subquery(),
            last_active_at=new[-1].created_at,
            message_count=threads.c.message_count + len(new),
        )
    )
    await _name_thread(connection, thread_id, new)


async def _name_thread(connection: AsyncConnection, thread_id: str, new: Sequence[Message]) -> None:
    title = next((_title(message) for message in new if message.role == "user"), "")
    if title:
        unnamed = threads.c.title.is_(None)
        await connection.execute(
            update(threads).where(threads.c.id == thread_id, unnamed).values(title=title)
        )


def _title(message: Message) -> str:
    text = next((p["text"]["value"] for p in message.content if p["type"] == "text"), "")
    # A question may be a pasted book; only its beginning is looked at.
    words = " ".join(text[: TITLE_LENGTH * 10].split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rstrip() + "…"


async def _refuse_while_run_is_active(connection: AsyncConnection, thread_id: str) -> None:
    run_id = await active_run_id(connection, thread_id)
    if run_id is not None:
        raise InvalidRequest(f"Can't add messages to {thread_id} while a run {run_id} is active.")


async def active_run_id(connection: AsyncConnection, thread_id: str) -> str | None:
    """Return the run that locks the thread, if there is one."""
    mine = runs.c.thread_id == thread_id
    found = await connection.execute(select(runs.c.id).where(mine, IS_ACTIVE))
    return found.scalar()
