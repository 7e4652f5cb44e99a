"""What other processes mean for the runs of this one: cancelled, changed, deleted, left behind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from streamlit_assistant.records import Run, RunStatus
from streamlit_assistant.runs.execute_run import RunExecution, Stop
from streamlit_assistant.runs.membership import Membership
from streamlit_assistant.store import Store
from streamlit_assistant.store.signals import EVERYTHING, run_of
from streamlit_assistant.waiting import came_within

STRAY_SECONDS = 3.0
MOST_TAKEOVERS = 3  # of one run; what ended three processes would end the next one as well

logger = logging.getLogger(__name__)

Settle = Callable[[Run, Stop], Awaitable[None]]


class Oversight:
    """Compares what this process executes with what the database says it does."""

    def __init__(
        self,
        store: Store,
        membership: Membership,
        executions: Mapping[str, RunExecution],
        settle: Settle,
    ) -> None:
        """`executions` is read as it changes; `settle` ends or hands back a run that is ours."""
        self.taken: set[str] = set()  # runs that are ours and about to be among the executions
        self._store = store
        self._membership = membership
        self._executions = executions
        self._settle = settle
        self._strays: dict[tuple[str, int], float] = {}  # since when each is seen
        self._changed: set[str] = set()  # runs that somebody has named
        self._look = asyncio.Event()
        store.signals.hear(self._hear)

    def look(self) -> None:
        """Look at once: anything may have changed."""
        self._look.set()

    def _hear(self, topic: str) -> None:
        run_id = run_of(topic)
        if run_id is not None and run_id in self._executions:
            self._changed.add(run_id)
            self._look.set()
        elif topic == EVERYTHING:
            self._look.set()

    async def run(self) -> None:
        """Look whenever told to, and now and then, until cancelled."""
        while True:
            if self._membership.works:
                await self._adopt()
            await self._attend()
            await came_within(self._membership.patience, self._look)
            self._look.clear()

    async def _adopt(self) -> None:
        for run in await self._store.queue.adopt_orphans(self._membership.name):
            logger.warning("taking over a run", extra={"run_id": run.id, "attempt": run.attempt})
            await self._settle(run, _reason(run))

    async def _attend(self) -> None:
        # What is executed is asked first: a run that is added meanwhile is not lost.
        executed = dict(self._executions)
        owned = {run.id: run for run in await self._store.queue.owned_by(self._membership.name)}
        for run_id, execution in executed.items():
            await self._compare(execution, owned.get(run_id))
        self._changed.intersection_update(self._executions)  # the others have ended
        await self._settle_strays(owned)

    async def _compare(self, execution: RunExecution, run: Run | None) -> None:
        if run is None or run.attempt != execution.attempt:
            execution.stop(Stop.LOST)  # no longer ours, or deleted; nothing if it is just ending
        elif run.status is RunStatus.CANCELLING:
            execution.stop(Stop.CANCEL)
        elif run.metadata != execution.metadata:
            execution.note_metadata(run.metadata)
        message_id = execution.open_message_id
        if execution.run_id in self._changed and message_id is not None:
            self._changed.discard(execution.run_id)
            for message in await self._store.messages.of_run(execution.run_id):
                execution.note_metadata(message.metadata, message.id)

    async def _settle_strays(self, owned: Mapping[str, Run]) -> None:
        """Settle what is leased to this process although nobody in it works on it.

        The database failed when it was to begin, or to be ended: then what waits, waits on.
        """
        now = asyncio.get_running_loop().time()
        idle = [r for r in owned.values() if r.id not in self._executions]
        strays = {(run.id, run.attempt): run for run in idle if run.id not in self.taken}
        self._strays = {key: self._strays.get(key, now) for key in strays}
        for key, run in strays.items():
            if now - self._strays[key] >= STRAY_SECONDS:
                await self._settle(run, _reason(run))


def _reason(run: Run) -> Stop:
    if run.status is RunStatus.CANCELLING:
        return Stop.CANCEL
    return Stop.GIVEN_UP if run.takeovers >= MOST_TAKEOVERS else Stop.SHUTDOWN
