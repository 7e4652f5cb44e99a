"""Runs in the database: the row is the record, the queue entry and the lock."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, LeaseLost, NotFound
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
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.events import insert_events
from streamlit_assistant.store.fence import HELD, Fence
from streamlit_assistant.store.messages import active_run_id, insert_messages
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import IS_ACTIVE, messages, run_steps, runs
from streamlit_assistant.store.threads import find_thread, insert_thread

_IDLE = (
    IS_ACTIVE,
    runs.c.status != RunStatus.CANCELLING,
    runs.c.lease_owner.is_(None),
)
# What a process that is gone was executing, or had promised to end.
_ORPHANED = (
    IS_ACTIVE,
    or_(
        runs.c.status == RunStatus.CANCELLING,
        and_(runs.c.status == RunStatus.IN_PROGRESS, runs.c.lease_owner.is_not(None)),
    ),
)
# What it had taken only to end it: that waits on.
_UNTOUCHED = (IS_ACTIVE, runs.c.status.in_((RunStatus.QUEUED, RunStatus.REQUIRES_ACTION)))
_FREE = (
    IS_ACTIVE,
    runs.c.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)),
    runs.c.lease_owner.is_(None),
)
# What every run and every look at one executes is built once: that takes longer than SQLite does.
_OF_THREAD = select(runs).where(
    runs.c.thread_id == bindparam("thread_id"), runs.c.id == bindparam("id")
)
_OF_OWNER = _OF_THREAD.where(runs.c.owner == bindparam("owner"))
_REPLACED_MESSAGE = update(messages).where(messages.c.id == bindparam("replaced"))
_REPLACED_STEP = update(run_steps).where(run_steps.c.id == bindparam("replaced"))


class Runs:
    """The `runs` table, and what an executor writes beside it in the same transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        run: Run,
        announce: Callable[[Thread], Sequence[RunEvent]],
        new_messages: Sequence[Message] = (),
        new_thread: Thread | None = None,
        stores: Sequence[FilledVectorStore] = (),
    ) -> Sequence[RunEvent]:
        """Store a queued run, its messages and first events; refuse a second active run.

        `announce` makes the events of the thread as it was stored; they are returned.
        """

        async def add(connection: AsyncConnection) -> Sequence[RunEvent]:
            if new_thread is not None:
                await insert_thread(connection, new_thread, new_messages, stores)
                thread = await find_thread(connection, run.owner, run.thread_id)
            else:
                thread = await find_thread(connection, run.owner, run.thread_id)
                await _refuse_second_run(connection, run.thread_id)
                await insert_messages(connection, run.thread_id, new_messages)
            events = announce(thread)
            row = to_row(runs, run) | {"last_event": events[-1].seq}
            await connection.execute(insert(runs), row)
            await insert_events(connection, run.id, events, run.created_at)
            return events

        return await self._database.transact(add)

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

    async def waiting(self) -> list[Run]:
        """Return the runs that no executor has taken."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(runs).where(*_FREE))).mappings().all()
        return [to_record(Run, row) for row in rows]

    async def claim(self, lease_owner: str) -> Run | None:
        """Take the oldest waiting run; return None if there is none."""
        free = select(runs.c.seq).where(*_FREE).order_by(runs.c.seq).limit(1).scalar_subquery()
        query = (
            update(runs)
            .where(runs.c.seq == free)
            .values(
                lease_owner=lease_owner,
                attempt=runs.c.attempt + 1,
                status=RunStatus.IN_PROGRESS,
                started_at=func.coalesce(runs.c.started_at, int(self._clock())),
            )
        )
        async with self._database.write() as connection:
            row = (await connection.execute(query.returning(runs))).mappings().first()
        return None if row is None else to_record(Run, row)

    async def claim_idle(self, lease_owner: str, run_id: str) -> Run | None:
        """Take a run that nobody works on, to end it; its status stays until then."""
        query = (
            update(runs)
            .where(runs.c.id == run_id, *_IDLE)
            .values(lease_owner=lease_owner, attempt=runs.c.attempt + 1)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(query.returning(runs))).mappings().first()
        return None if row is None else to_record(Run, row)

    async def overdue(self, now: int) -> list[str]:
        """Return the runs that nobody works on and that should have ended by now."""
        query = select(runs.c.id).where(*_IDLE, runs.c.expires_at <= now)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def resume(self, run: Run, step: RunStep, events: Sequence[RunEvent]) -> bool:
        """Store that a waiting run goes on, with its answered step.

        Returns whether it was still waiting: two may come with outputs, or a cancellation before.
        """
        query = update(runs).where(
            runs.c.id == run.id,
            runs.c.status == RunStatus.REQUIRES_ACTION,
            runs.c.lease_owner.is_(None),
            runs.c.last_event == run.last_event,  # still waiting for the same calls
        )
        changes = {
            "status": run.status,
            "required_action": None,
            "lease_owner": run.lease_owner,
            "attempt": run.attempt,
            "last_event": events[-1].seq,
        }
        async with self._database.write() as connection:
            if (await connection.execute(query.values(changes))).rowcount == 0:
                return False
            await _replace(connection, step)
            await insert_events(connection, run.id, events, int(self._clock()))
        return True

    async def adopt_orphans(self, lease_owner: str) -> list[Run]:
        """Take over every run that a process was executing which is gone; none other may be."""
        adopted = update(runs).where(*_ORPHANED)
        adopted = adopted.values(lease_owner=lease_owner, attempt=runs.c.attempt + 1)
        async with self._database.write() as connection:
            await connection.execute(update(runs).where(*_UNTOUCHED).values(lease_owner=None))
            rows = (await connection.execute(adopted.returning(runs))).mappings().all()
        return [to_record(Run, row) for row in rows]

    async def modify(self, thread_id: str, run_id: str, changes: Mapping[str, Any]) -> Run:
        """Change the named fields, in any status, and return the whole."""
        if not changes:
            return await self.get(thread_id, run_id)
        query = update(runs).where(runs.c.thread_id == thread_id, runs.c.id == run_id)
        async with self._database.write() as connection:
            changed = await connection.execute(query.values(dict(changes)).returning(runs))
            row = changed.mappings().first()
        if row is None:
            raise _unknown(run_id)
        return to_record(Run, row)

    async def mark_cancelling(self, run_id: str) -> None:
        """Note that a run is to stop, if it has not ended."""
        query = update(runs).where(
            IS_ACTIVE, runs.c.id == run_id, runs.c.status != RunStatus.CANCELLING
        )
        async with self._database.write() as connection:
            await connection.execute(
                query.values(status=RunStatus.CANCELLING, required_action=None)
            )

    async def release(self, fence: Fence) -> None:
        """Hand the run back unexecuted, for the next process to take."""
        async with self._database.write() as connection:
            await connection.execute(HELD, fence.write({"lease_owner": None}))

    async def save(
        self,
        fence: Fence,
        *,
        changes: Mapping[str, Any],
        events: Sequence[RunEvent],
        new: Sequence[Message | RunStep] = (),
        changed: Sequence[Message | RunStep] = (),
    ) -> None:
        """Store what an attempt produced, all or nothing; raise `LeaseLost` if it may not."""
        columns = {**changes, **({"last_event": events[-1].seq} if events else {})}

        async def save(connection: AsyncConnection) -> None:
            if columns:
                held = await connection.execute(HELD, fence.write(columns))
                if held.rowcount == 0:
                    raise LeaseLost(fence.run_id)
            if events:
                await insert_events(connection, fence.run_id, events, int(self._clock()))
            for record in new:
                await _insert(connection, record)
            for record in changed:
                await _replace(connection, record)

        await self._database.transact(save)


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
    await connection.execute(query, {**columns, "replaced": record.id})


async def _refuse_second_run(connection: AsyncConnection, thread_id: str) -> None:
    run_id = await active_run_id(connection, thread_id)
    if run_id is not None:
        raise InvalidRequest(f"Thread {thread_id} already has an active run {run_id}.")


def _unknown(run_id: str) -> NotFound:
    return NotFound(f"No run found with id '{run_id}'.")
