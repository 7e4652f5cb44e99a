"""Messages in the database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.records import Clock, Message, MessageStatus, Page, PageQuery
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.langchain_ids import held_already
from streamlit_assistant.store.mirror_changes import IS_MIRRORED, note_messages, note_removed
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import IS_ACTIVE, messages, runs, threads
from streamlit_assistant.store.thread_attachments import attach_to_thread

_NOTED = (
    update(threads)
    .where(threads.c.id == bindparam("noted_thread"))
    .values(
        last_message_seq=select(func.max(messages.c.seq))
        .where(messages.c.thread_id == bindparam("noted_thread"))
        .scalar_subquery(),
        last_active_at=bindparam("noted_at"),
        message_count=threads.c.message_count + bindparam("noted_count"),
        title=func.coalesce(threads.c.title, bindparam("noted_title")),
    )
    .returning(IS_MIRRORED)
)
_LOCKED_THREAD = select(threads.c.seq).where(threads.c.id == bindparam("id")).with_for_update()
TITLE_LENGTH = 60  # characters of the first question that name a thread


class Messages:
    """The `messages` table."""

    def __init__(self, database: Database, clock: Clock, on_change: Callable[[], None]) -> None:
        """`on_change` is called when messages have been stored or removed."""
        self._database = database
        self._clock = clock
        self._on_change = on_change

    async def add(self, message: Message) -> Message:
        """Append to the thread; refused while a run is active on it.

        Returns the message that the thread holds: another one if it has its LangChain id already.
        """
        [held] = await self.add_all(message.thread_id, [message])
        return held

    async def add_all(self, thread_id: str, new: Sequence[Message]) -> list[Message]:
        """Append several to the thread, as `add` does each: all of them in a row, or none."""

        async def add(connection: AsyncConnection) -> list[Message]:
            await _lock_thread(connection, thread_id)
            await _refuse_while_run_is_active(connection, f"add messages to {thread_id}", thread_id)
            return await insert_messages(connection, thread_id, new)

        held = await self._database.transact(add)
        self._on_change()
        return held

    async def get(self, thread_id: str, message_id: str) -> Message:
        """Return one message, or raise `NotFound`."""
        async with self._database.read() as connection:
            return await _find(connection, thread_id, message_id)

    async def page(
        self, thread_id: str, query: PageQuery, run_id: str | None = None
    ) -> Page[Message]:
        """Return a page of the thread's messages, of one run if asked."""
        where = [messages.c.thread_id == thread_id]
        if run_id is not None:
            where.append(messages.c.run_id == run_id)
        async with self._database.read() as connection:
            return await read_page(connection, messages, Message, query, *where, noun="message")

    async def modify(self, thread_id: str, message_id: str, changes: Mapping[str, Any]) -> Message:
        """Change the named fields and return the whole."""
        if not changes:
            return await self.get(thread_id, message_id)
        query = update(messages).where(*_of(thread_id, message_id)).values(dict(changes))

        async def modify(connection: AsyncConnection) -> Message:
            await connection.execute(query)
            return await _find(connection, thread_id, message_id)

        return await self._database.transact(modify)

    async def delete(self, thread_id: str, message_id: str) -> None:
        """Remove it, also while a run is active: the run has read the thread by then.

        Only an answer that is still being written is refused: its run goes on writing it.
        """

        async def remove(connection: AsyncConnection) -> None:
            await _lock_thread(connection, thread_id)
            message = await _find(connection, thread_id, message_id)
            if message.status is MessageStatus.IN_PROGRESS:
                raise InvalidRequest(
                    f"Can't delete message {message_id} while a run {message.run_id} is active."
                )
            await _delete(connection, thread_id, int(self._clock()), messages.c.id == message_id)
            await connection.execute(
                update(threads)
                .where(threads.c.id == thread_id)
                .values(
                    last_message_seq=func.coalesce(_newest_seq(thread_id), 0),
                    message_count=threads.c.message_count - 1,
                )
            )

        await self._database.transact(remove)
        self._on_change()

    async def delete_all(self, thread_id: str) -> None:
        """Remove every message of the thread; refused while a run is active on it."""

        async def remove(connection: AsyncConnection) -> None:
            await _lock_thread(connection, thread_id)
            what = f"delete the messages of {thread_id}"
            await _refuse_while_run_is_active(connection, what, thread_id)
            await _delete(connection, thread_id, int(self._clock()))
            emptied = {"last_message_seq": 0, "message_count": 0, "title": None}
            await connection.execute(
                update(threads).where(threads.c.id == thread_id).values(emptied)
            )

        await self._database.transact(remove)
        self._on_change()

    async def newest(self, thread_id: str, limit: int, but_run: str | None = None) -> list[Message]:
        """Return the last messages of the thread, oldest first, without those of one run."""
        query = select(messages).where(messages.c.thread_id == thread_id)
        if but_run is not None:
            query = query.where(messages.c.run_id.is_distinct_from(but_run))
        query = query.order_by(messages.c.seq.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [to_record(Message, row) for row in reversed(rows)]

    async def of_run(self, run_id: str) -> list[Message]:
        """Return all messages that a run wrote."""
        async with self._database.read() as connection:
            found = await connection.execute(select(messages).where(messages.c.run_id == run_id))
            return [to_record(Message, row) for row in found.mappings()]

    async def first(self, thread_id: str) -> Message | None:
        """Return the message that began the thread."""
        page = await self.page(thread_id, PageQuery(limit=1, order="asc"))
        return page.items[0] if page.items else None


async def insert_messages(
    connection: AsyncConnection, thread_id: str, new: Sequence[Message]
) -> list[Message]:
    """Append messages and note the thread's activity, in the caller's transaction.

    Returns them as the thread holds them: what it has already by its LangChain id is not added.
    """
    if not new:
        return []
    # Two who append at once do so one after the other, in the order of their messages' numbers.
    await _lock_thread(connection, thread_id)
    held = await held_already(connection, thread_id, new)
    added: list[Message] = []
    for message in new:
        if message.langchain_id is None or message.langchain_id not in held:
            added.append(message)
            if message.langchain_id is not None:
                held[message.langchain_id] = message
    if added:
        await _append(connection, thread_id, added)
    return [held.get(message.langchain_id or "", message) for message in new]


async def _append(connection: AsyncConnection, thread_id: str, new: Sequence[Message]) -> None:
    await connection.execute(insert(messages), [to_row(messages, message) for message in new])
    noted = {
        "noted_thread": thread_id,
        "noted_at": new[-1].created_at,
        "noted_count": len(new),
        "noted_title": next((_title(m) for m in new if m.role == "user"), "") or None,
    }
    if (await connection.execute(_NOTED, noted)).scalar():
        await note_messages(connection, new)
    await attach_to_thread(connection, thread_id, new)


async def _delete(
    connection: AsyncConnection, thread_id: str, now: int, *where: ColumnElement[bool]
) -> None:
    gone = delete(messages).where(messages.c.thread_id == thread_id, *where)
    rows = (await connection.execute(gone.returning(messages.c.id, IS_MIRRORED))).all()
    removed = [row.id for row in rows if row.is_mirrored]
    await note_removed(connection, thread_id, removed, now)


async def _lock_thread(connection: AsyncConnection, thread_id: str) -> None:
    if (await connection.execute(_LOCKED_THREAD, {"id": thread_id})).first() is None:
        raise NotFound(f"No thread found with id '{thread_id}'.")  # it was deleted just now


def _newest_seq(thread_id: str) -> ScalarSelect[int]:
    mine = messages.c.thread_id == thread_id
    return select(func.max(messages.c.seq)).where(mine).scalar_subquery()


def _of(thread_id: str, message_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return messages.c.thread_id == thread_id, messages.c.id == message_id


async def _find(connection: AsyncConnection, thread_id: str, message_id: str) -> Message:
    found = await connection.execute(select(messages).where(*_of(thread_id, message_id)))
    row = found.mappings().first()
    if row is None:
        raise NotFound(f"No message found with id '{message_id}'.")
    return to_record(Message, row)


def _title(message: Message) -> str:
    text = next((p["text"]["value"] for p in message.content if p["type"] == "text"), "")
    # A question may be a pasted book; only its beginning is looked at.
    words = " ".join(text[: TITLE_LENGTH * 10].split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rstrip() + "…"


async def _refuse_while_run_is_active(
    connection: AsyncConnection, what: str, thread_id: str
) -> None:
    run_id = await active_run_id(connection, thread_id)
    if run_id is not None:
        raise InvalidRequest(f"Can't {what} while a run {run_id} is active.")


async def active_run_id(
    connection: AsyncConnection, thread_id: str, *, lock: bool = False
) -> str | None:
    """Return the run that locks the thread, if there is one; `lock` it in order to remove it."""
    query = select(runs.c.id).where(runs.c.thread_id == thread_id, IS_ACTIVE)
    found = await connection.execute(query.with_for_update() if lock else query)
    return found.scalar()
