"""The stored events of runs, from which a follower can resume at any sequence number."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import LeaseLost
from streamlit_assistant.records import JSON, Clock, RunEvent
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.fence import Fence, move, move_all
from streamlit_assistant.store.tables import IS_ACTIVE, run_events, runs

_OF_RUN = run_events.c.run_id == bindparam("run_id")
# The row that holds the next number, or is the last before it: found in the index, however many
# rows a long answer has by then.
_NEXT = (
    select(func.max(run_events.c.first_seq))
    .where(_OF_RUN, run_events.c.first_seq <= bindparam("after") + 1)
    .scalar_subquery()
)
_AFTER = (
    select(run_events.c.events)
    .where(
        _OF_RUN,
        run_events.c.first_seq >= func.coalesce(_NEXT, 0),
        run_events.c.last_seq > bindparam("after"),
    )
    .order_by(run_events.c.first_seq)
)


class _NotAllHeld(Exception):
    """One of many runs is another's by now, or its events are stored already."""


class Events:
    """The `run_events` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def append(self, batches: Mapping[Fence, Sequence[RunEvent]]) -> list[Fence]:
        """Store new events of many runs in one transaction.

        Returns the fences that no longer hold: their events were not stored.
        """
        now = int(self._clock())

        async def append_together(connection: AsyncConnection) -> None:
            if not await move_all(connection, batches):
                raise _NotAllHeld
            rows = [_row(fence.run_id, events, now) for fence, events in batches.items()]
            await connection.execute(insert(run_events), rows)

        async def append_each(connection: AsyncConnection) -> list[Fence]:
            lost = []
            for fence, events in batches.items():
                try:
                    await append_events(connection, fence, events, now)
                except LeaseLost:
                    lost.append(fence)
            return lost

        try:
            # Two statements, however many runs there are.
            await self._database.transact(append_together)
        except _NotAllHeld:
            return await self._database.transact(append_each)
        return []

    async def after(self, run_id: str, seq: int) -> list[RunEvent]:
        """Return the stored events with a greater sequence number, in order."""
        named = {"run_id": run_id, "after": seq}
        async with self._database.read() as connection:
            rows = (await connection.execute(_AFTER, named)).scalars().all()
        return [RunEvent(*item) for row in rows for item in row if item[0] > seq]

    async def last(self, run_id: str) -> RunEvent | None:
        """Return the newest stored event."""
        query = (
            select(run_events.c.events)
            .where(run_events.c.run_id == run_id)
            .order_by(run_events.c.first_seq.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).scalar()
        return None if row is None else RunEvent(*row[-1])

    async def forget(self, older_than: int) -> None:
        """Drop the events of ended runs written before a time; their objects stay."""
        active = select(runs.c.id).where(IS_ACTIVE)
        old = run_events.c.created_at < older_than
        query = delete(run_events).where(old, run_events.c.run_id.not_in(active))

        async def forget(connection: AsyncConnection) -> None:
            await connection.execute(query)

        await self._database.transact(forget)


async def append_events(
    connection: AsyncConnection, fence: Fence, events: Sequence[RunEvent], now: int
) -> None:
    """Store events in the caller's transaction; raise `LeaseLost` if the fence fell."""
    if unstored := await move(connection, fence, {}, events):
        await insert_events(connection, fence.run_id, unstored, now)


async def insert_events(
    connection: AsyncConnection, run_id: str, events: Sequence[RunEvent], now: int
) -> None:
    """Store one row of events in the caller's transaction."""
    await connection.execute(insert(run_events), _row(run_id, events, now))


def _row(run_id: str, events: Sequence[RunEvent], now: int) -> JSON:
    return {
        "run_id": run_id,
        "first_seq": events[0].seq,
        "last_seq": events[-1].seq,
        "created_at": now,
        "events": [[event.seq, event.name, event.data] for event in events],
    }
