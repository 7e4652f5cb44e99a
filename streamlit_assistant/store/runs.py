"""Runs in the database: the row is the record, the queue entry and the lock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.records import (
    Clock,
    Message,
    Page,
    PageQuery,
    Run,
    RunEvent,
    RunStatus,
    RunStep,
    Thread,
)
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.events import insert_events
from streamlit_assistant.store.fence import Fence, move
from streamlit_assistant.store.messages import active_run_id, insert_messages
from streamlit_assistant.store.mirror_changes import IS_MIRRORED, note_messages
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.run_queue import Limits, make_room, may_begin
from streamlit_assistant.store.tables import IS_ACTIVE, messages, run_steps, runs
from streamlit_assistant.store.threads import find_thread, insert_thread

# What every run and every look at one executes is built once: that takes longer than SQLite does.
_OF_THREAD = select(runs).where(
    runs.c.thread_id == bindparam("thread_id"), runs.c.id == bindparam("id")
)
_OF_OWNER = _OF_THREAD.where(runs.c.owner == bindparam("owner"))
_REPLACED_MESSAGE = (
    update(messages).where(messages.c.id == bindparam("replaced")).returning(IS_MIRRORED)
)
_REPLACED_STEP = update(run_steps).where(run_steps.c.id == bindparam("replaced"))
DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Added:
    """The first events of a run that was stored, and whether it was leased at once."""

    events: Sequence[RunEvent]
    is_leased: bool


class Runs:
    """The `runs` table, and what an executor writes beside it in the same transaction."""

    def __init__(self, database: Database, clock: Clock, on_change: Callable[[], None]) -> None:
        """`on_change` is called when messages have been stored."""
        self._database = database
        self._clock = clock
        self._on_change = on_change

    async def add(
        self,
        run: Run,
        announce: Callable[[Thread], Sequence[RunEvent]],
        new_messages: Sequence[Message] = (),
        new_thread: Thread | None = None,
        stores: Sequence[FilledVectorStore] = (),
        leased: Run | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Added:
        """Store a queued run, its messages and first events; refuse a second active run.

        `announce` makes the events of the thread as it was stored. `leased` is the run as it is
        stored instead if it may begin at once. Raises `TooManyRuns` if it may not even wait.
        """

        async def add(connection: AsyncConnection) -> Added:
            if new_thread is not None:
                await insert_thread(connection, new_thread, new_messages, stores)
                thread = await find_thread(connection, run.owner, run.thread_id)
            else:
                thread = await find_thread(connection, run.owner, run.thread_id, lock=True)
                await _refuse_second_run(connection, run.thread_id)
                await insert_messages(connection, run.thread_id, new_messages)
            events = announce(thread)
            # Last, because everybody else who wants to begin a run waits for it.
            begins = await make_room(self._database, connection, run.owner, limits)
            stored = leased if leased is not None and begins else run
            row = to_row(runs, stored) | {"last_event": events[-1].seq}
            await connection.execute(insert(runs), row)
            await insert_events(connection, run.id, events, run.created_at)
            return Added(events, stored is leased)

        added = await self._database.transact(add)
        self._on_change()
        return added

    async def of(self, owner: str, thread_id: str, run_id: str) -> Run:
        """Return the owner's run, or raise `NotFound` for what is unknown: thread or run."""
        named = {"owner": owner, "thread_id": thread_id, "id": run_id}
        async with self._database.read() as connection:
            row = (await connection.execute(_OF_OWNER, named)).mappings().first()
            if row is None:
                await find_thread(connection, owner, thread_id)
                raise _unknown(run_id)
        return to_record(Run, row)

    async def get(self, thread_id: str, run_id: str) -> Run:
        """Return one run, or raise `NotFound`."""
        named = {"thread_id": thread_id, "id": run_id}
        async with self._database.read() as connection:
            row = (await connection.execute(_OF_THREAD, named)).mappings().first()
        if row is None:
            raise _unknown(run_id)
        return to_record(Run, row)

    async def page(self, thread_id: str, query: PageQuery) -> Page[Run]:
        """Return a page of the thread's runs."""
        async with self._database.read() as connection:
            return await read_page(
                connection, runs, Run, query, runs.c.thread_id == thread_id, noun="run"
            )

    async def resume(
        self,
        run: Run,
        step: RunStep,
        events: Sequence[RunEvent],
        leased: Run | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Added | None:
        """Store that a waiting run goes on, with its answered step; `leased` as for a new one.

        Returns None if it no longer waits: two may come with outputs, or a cancellation before.
        """
        waiting = update(runs).where(
            runs.c.id == run.id,
            runs.c.status == RunStatus.REQUIRES_ACTION,
            runs.c.lease_owner.is_(None),
            runs.c.last_event == run.last_event,  # still waiting for the same calls
        )

        async def resume(connection: AsyncConnection) -> Added | None:
            begins = await may_begin(self._database, connection, run.owner, limits)
            stored = leased if leased is not None and begins else run
            changes = {
                "status": stored.status,
                "required_action": None,
                "lease_owner": stored.lease_owner,
                "attempt": stored.attempt,
                "last_event": events[-1].seq,
            }
            if (await connection.execute(waiting.values(changes))).rowcount == 0:
                return None
            await _replace(connection, step)
            await insert_events(connection, run.id, events, int(self._clock()))
            return Added(events, stored is leased)

        return await self._database.transact(resume)

    async def modify(self, thread_id: str, run_id: str, changes: Mapping[str, Any]) -> Run:
        """Change the named fields, in any status, and return the whole."""
        if not changes:
            return await self.get(thread_id, run_id)
        query = update(runs).where(runs.c.thread_id == thread_id, runs.c.id == run_id)

        async def modify(connection: AsyncConnection) -> Run:
            changed = await connection.execute(query.values(dict(changes)).returning(runs))
            row = changed.mappings().first()
            if row is None:
                raise _unknown(run_id)
            return to_record(Run, row)

        return await self._database.transact(modify)

    async def mark_cancelling(self, run_id: str) -> bool:
        """Note that a run which somebody works on is to stop; return False if nobody does."""
        query = update(runs).where(
            IS_ACTIVE,
            runs.c.id == run_id,
            runs.c.status != RunStatus.CANCELLING,
            runs.c.lease_owner.is_not(None),
        )
        cancelling = query.values(status=RunStatus.CANCELLING, required_action=None)

        async def mark(connection: AsyncConnection) -> bool:
            return (await connection.execute(cancelling)).rowcount > 0

        return await self._database.transact(mark)

    async def save(
        self,
        fence: Fence,
        *,
        changes: Mapping[str, Any],
        events: Sequence[RunEvent],
        new: Sequence[Message | RunStep] = (),
        changed: Sequence[Message | RunStep] = (),
        unless_cancelling: bool = False,
    ) -> None:
        """Store what an attempt produced, all or nothing; storing it twice is storing it once.

        Raises `LeaseLost` if the attempt may not, and `CancelRequested` if it would hide that the
        run was cancelled.
        """

        async def save(connection: AsyncConnection) -> None:
            unstored = await move(
                connection, fence, changes, events, unless_cancelling=unless_cancelling
            )
            if unstored is None:
                return
            if unstored:
                await insert_events(connection, fence.run_id, unstored, int(self._clock()))
            for record in new:
                await _insert(connection, record)
            for record in changed:
                await _replace(connection, record)

        await self._database.transact(save)
        if any(isinstance(record, Message) for record in (*new, *changed)):
            self._on_change()


async def _insert(connection: AsyncConnection, record: Message | RunStep) -> None:
    if isinstance(record, Message):
        await insert_messages(connection, record.thread_id, [record])
    else:
        await connection.execute(insert(run_steps), to_row(run_steps, record))


async def _replace(connection: AsyncConnection, record: Message | RunStep) -> None:
    is_message = isinstance(record, Message)
    columns = to_row(messages if is_message else run_steps, record)
    del columns["metadata"]  # the client's alone, which may have changed it meanwhile
    query = _REPLACED_MESSAGE if is_message else _REPLACED_STEP
    replaced = await connection.execute(query, {**columns, "replaced": record.id})
    if isinstance(record, Message) and replaced.scalar():
        await note_messages(connection, [record])


async def _refuse_second_run(connection: AsyncConnection, thread_id: str) -> None:
    run_id = await active_run_id(connection, thread_id)
    if run_id is not None:
        raise InvalidRequest(f"Thread {thread_id} already has an active run {run_id}.")


def _unknown(run_id: str) -> NotFound:
    return NotFound(f"No run found with id '{run_id}'.")
