"""The fence: who may write a run, and what of it is written already.

A transaction may have been committed although its confirmation got lost with the connection. Then
it is tried again: what the database holds by then must neither be stored twice nor be taken for
another process's work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import CancelRequested, LeaseLost
from streamlit_assistant.records import JSON, RunEvent, RunStatus
from streamlit_assistant.store.tables import runs

# Changes the columns it is executed with, if the attempt still owns the run.
HELD = update(runs).where(
    runs.c.id == bindparam("held_run"),
    runs.c.lease_owner == bindparam("held_by"),
    runs.c.attempt == bindparam("held_attempt"),
)
_AHEAD = HELD.where(runs.c.last_event < bindparam("held_before"))
_WANTED = runs.c.status != RunStatus.CANCELLING
_HELD_WANTED, _AHEAD_WANTED = HELD.where(_WANTED), _AHEAD.where(_WANTED)
_STATE = select(runs.c.lease_owner, runs.c.attempt, runs.c.last_event, runs.c.status).where(
    runs.c.id == bindparam("run_id")
)


@dataclass(frozen=True)
class Fence:
    """One attempt of one process at one run. A write without it could be a zombie's."""

    run_id: str
    lease_owner: str
    attempt: int

    def write(self, columns: Mapping[str, Any]) -> JSON:
        """Return what `HELD` is executed with to change these columns."""
        return {
            **columns,
            "held_run": self.run_id,
            "held_by": self.lease_owner,
            "held_attempt": self.attempt,
        }


async def move(
    connection: AsyncConnection,
    fence: Fence,
    columns: Mapping[str, Any],
    events: Sequence[RunEvent],
    *,
    unless_cancelling: bool = False,
) -> Sequence[RunEvent] | None:
    """Change a run's columns if the attempt still owns it, and return the events to be stored.

    Returns None if all of it is stored already. Raises `LeaseLost` if the run is another's, and
    `CancelRequested` where a cancelled run shall not be changed.
    """
    if not columns and not events:
        return events
    if events:
        query = _AHEAD_WANTED if unless_cancelling else _AHEAD
        last = {"last_event": events[-1].seq, "held_before": events[0].seq}
        values = fence.write({**columns, **last})
    else:
        query, values = _HELD_WANTED if unless_cancelling else HELD, fence.write(columns)
    if (await connection.execute(query, values)).rowcount:
        return events
    unstored = await _unstored(connection, fence, events, unless_cancelling)
    if not unstored:
        return None
    return await move(connection, fence, columns, unstored, unless_cancelling=unless_cancelling)


async def move_all(
    connection: AsyncConnection, batches: Mapping[Fence, Sequence[RunEvent]]
) -> bool:
    """Move many runs on to their newest events; return False if any of them cannot be.

    Then some have been moved, and the transaction must not be committed.
    """
    values = [
        fence.write({"last_event": events[-1].seq, "held_before": events[0].seq})
        for fence, events in batches.items()
    ]
    return (await connection.execute(_AHEAD, values)).rowcount == len(values)


async def _unstored(
    connection: AsyncConnection,
    fence: Fence,
    events: Sequence[RunEvent],
    unless_cancelling: bool,
) -> Sequence[RunEvent]:
    """Say why a run could not be changed: raise, or return those events that it lacks."""
    row = (await connection.execute(_STATE, {"run_id": fence.run_id})).first()
    if row is None or row.attempt != fence.attempt:
        raise LeaseLost(fence.run_id)
    if events and row.last_event >= events[-1].seq:
        return []
    if row.lease_owner != fence.lease_owner:
        raise LeaseLost(fence.run_id)
    if unless_cancelling and row.status == RunStatus.CANCELLING:
        raise CancelRequested(fence.run_id)
    unstored = [event for event in events if event.seq > row.last_event]
    if len(unstored) == len(events):
        raise LeaseLost(fence.run_id)  # nothing explains it: better to stop than to go round
    return unstored
