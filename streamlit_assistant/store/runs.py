"""Runs in the database: the row is the record, the queue entry and the lock."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, LeaseLost, NotFound
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
from streamlit_assistant.store.events import append_events, insert_events
from streamlit_assistant.store.fence import Fence
from streamlit_assistant.store.messages import active_run_id, insert_messages
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import IS_ACTIVE, messages, run_steps, runs
from streamlit_assistant.store.threads import find_thread, insert_thread

_FREE = (
    IS_ACTIVE,
    runs.c.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)),
    runs.c.lease_owner.is_(None),
)


class Runs:
    """The `runs` table, and what an executor writes beside it in the same transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        run: Run,
        events: Sequence[RunEvent],
        new_messages: Sequence[Message] = (),
        new_thread: Thread | None = None,
    ) -> None:
        """Store a queued run, its first events and messages; refuse a second active run."""
        async with self._database.write() as connection:
            if new_thread is not None:
                await insert_thread(connection, new_thread, new_messages)
            else:
                await find_thread(connection, run.owner, run.thread_id)
                await _refuse_second_run(connection, run.thread_id)
                await insert_messages(connection, run.thread_id, new_messages)
            row = to_row(runs, run) | {"last_event": events[-1].seq}
            await connection.execute(insert(runs).values(row))
            await insert_events(connection, run.id, events, run.created_at)

    async def get(self, thread_id: str, run_id: str) -> Run:
        """Return one run, or raise `NotFound`."""
        query = select(runs).where(runs.c.thread_id == thread_id, runs.c.id == run_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"No run found with id '{run_id}'.")
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

    async def claim(self, lease_owner: str, run_id: str | None = None) -> Run | None:
        """Take the oldest waiting run, or the one named; return None if there is none."""
        candidates = select(runs.c.seq).where(*_FREE)
        if run_id is not None:
            candidates = candidates.where(runs.c.id == run_id)
        free = candidates.order_by(runs.c.seq).limit(1).scalar_subquery()
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

    async def adopt_orphans(self, lease_owner: str) -> list[Run]:
        """Take over every run that another owner was executing when its process ended."""
        query = (
            update(runs)
            .where(
                IS_ACTIVE,
                runs.c.status.in_((RunStatus.IN_PROGRESS, RunStatus.CANCELLING)),
                runs.c.lease_owner != lease_owner,
            )
            .values(lease_owner=lease_owner, attempt=runs.c.attempt + 1)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(query.returning(runs))).mappings().all()
        return [to_record(Run, row) for row in rows]

    async def mark_cancelling(self, run_id: str) -> None:
        """Note that a run is to stop, if it has not ended."""
        query = update(runs).where(
            runs.c.id == run_id, runs.c.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS))
        )
        async with self._database.write() as connection:
            await connection.execute(query.values(status=RunStatus.CANCELLING))

    async def release(self, fence: Fence) -> None:
        """Hand the run back unexecuted, for the next process to take."""
        async with self._database.write() as connection:
            await connection.execute(update(runs).where(*fence.holds()).values(lease_owner=None))

    async def save(
        self,
        fence: Fence,
        *,
        changes: Mapping[str, Any],
        events: Sequence[RunEvent],
        message: Message | None = None,
        step: RunStep | None = None,
    ) -> None:
        """Store what an attempt produced, all or nothing; raise `LeaseLost` if it may not."""
        async with self._database.write() as connection:
            await append_events(connection, fence, events, int(self._clock()))
            if changes:
                query = update(runs).where(*fence.holds()).values(dict(changes))
                if (await connection.execute(query)).rowcount == 0:
                    raise LeaseLost(fence.run_id)
            if message is not None and not await _replace(connection, messages, message):
                await insert_messages(connection, message.thread_id, [message])
            if step is not None and not await _replace(connection, run_steps, step):
                await connection.execute(insert(run_steps).values(to_row(run_steps, step)))


async def _replace(connection: AsyncConnection, table: Table, record: Message | RunStep) -> bool:
    query = update(table).where(table.c.id == record.id).values(to_row(table, record))
    return (await connection.execute(query)).rowcount == 1


async def _refuse_second_run(connection: AsyncConnection, thread_id: str) -> None:
    run_id = await active_run_id(connection, thread_id)
    if run_id is not None:
        raise InvalidRequest(f"Thread {thread_id} already has an active run {run_id}.")
