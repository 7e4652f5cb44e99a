"""The executor: takes queued runs, executes a bounded number at once, stops them on demand."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from streamlit_assistant import responses
from streamlit_assistant.errors import InvalidRequest, Unavailable
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.providers.base import ProviderSource
from streamlit_assistant.records import (
    Clock,
    Message,
    Run,
    RunEvent,
    RunStatus,
    Thread,
    new_id,
)
from streamlit_assistant.runs.events import Channel, EventHub
from streamlit_assistant.runs.execute_run import RunExecution, Stop
from streamlit_assistant.runs.journal import EventWriter, Journal
from streamlit_assistant.runs.recovery import Remains, read_remains
from streamlit_assistant.runs.submission import submission
from streamlit_assistant.runs.transitions import TERMINAL, advance
from streamlit_assistant.store import Fence, Store
from streamlit_assistant.supervision import supervise
from streamlit_assistant.tools.toolbox import Toolbox

MOST_RUNS = 64  # at once in this process; the others wait in the database
DRAIN_SECONDS = 2.0  # how long running answers may go on when the process is told to end
STOP_SECONDS = 3.0  # how long storing them may take after that
CANCEL_SECONDS = 10.0  # how long a cancellation may wait for the database
NUMBERS_SKIPPED = 100_000  # more events than a process shows between two flushes
EXPIRY_SECONDS = 1.0  # how often runs that nobody works on are looked at
EVENTS_KEPT_SECONDS = 24 * 3600
HOUSEKEEPING_SECONDS = 3600

logger = logging.getLogger(__name__)


class RunExecutor:
    """Executes the runs of a store. `start` before use, `stop` at the end."""

    def __init__(
        self,
        store: Store,
        hub: EventHub,
        source: ProviderSource,
        toolbox: Toolbox,
        clock: Clock,
        *,
        most_runs: int = MOST_RUNS,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._store = store
        self._hub = hub
        self._source = source
        self._toolbox = toolbox
        self._clock = clock
        self._most_runs = most_runs
        self._drain_seconds = drain_seconds
        self._name = new_id("executor")
        self._writer = EventWriter(store)
        self._executions: dict[str, RunExecution] = {}
        self._work = asyncio.Event()
        self._arriving = 0  # runs that are being inserted and will be executed at once
        self._draining = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Settle what a killed process left, then begin to take runs."""
        for run in await self._store.runs.adopt_orphans(self._name):
            await self._settle(run)
        for run in await self._store.runs.waiting():
            self._hub.open(run.id, run.last_event)
        loops = (self._writer.run, self._dispatch, self._expire, self._keep_house)
        self._tasks = [asyncio.create_task(supervise(loop)) for loop in loops]
        self._work.set()

    async def stop(self) -> None:
        """Give running answers a moment, store what there is, end every follower."""
        self._draining = True
        await self._wait_for_executions(self._drain_seconds)
        for execution in list(self._executions.values()):
            execution.stop(Stop.SHUTDOWN)
        await self._wait_for_executions(STOP_SECONDS)
        await self._writer.flush()
        self._hub.close_all()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def create(
        self,
        run: Run,
        new_messages: Sequence[Message] = (),
        new_thread: Thread | None = None,
        stores: Sequence[FilledVectorStore] = (),
    ) -> None:
        """Store a queued run with all that was made for it, and have it executed."""
        channel = Channel()
        shown = responses.run(run)

        def announce(thread: Thread) -> list[RunEvent]:
            emissions = [("thread.created", responses.thread(thread))] if new_thread else []
            emissions += [("thread.run.created", shown), ("thread.run.queued", shown)]
            return [channel.number(*emission, ahead=n) for n, emission in enumerate(emissions)]

        with self._room() as at_once:
            taken = self._taken_at_once(run) if at_once else run
            add = self._store.runs.add
            events = await add(taken, announce, new_messages, new_thread, stores)
            self._begin(taken, channel, events, at_once)

    async def submit(self, thread_id: str, run_id: str, outputs: list[tuple[str, str]]) -> Run:
        """Go on with a run that waits for these outputs (call id, text); return it queued.

        Its `last_event` is the number behind which a follower sees what comes of it.
        """
        with self._room() as at_once:
            while True:
                run = await self._store.runs.get(thread_id, run_id)
                made = await submission(self._store, run, outputs, int(self._clock()))
                if made is None:
                    continue
                channel = Channel(run.last_event)
                events = [channel.number(*e, ahead=n) for n, e in enumerate(made.emissions)]
                taken = self._taken_at_once(made.run) if at_once else made.run
                if await self._store.runs.resume(taken, made.step, events):
                    self._begin(taken, channel, events, at_once)
                    return made.run

    @contextmanager
    def _room(self) -> Iterator[bool]:
        if self._draining:
            raise Unavailable("The server is ending; try again in a moment.")
        # The place is taken before the insert is waited for, or a burst would overrun the bound.
        at_once = self._has_room
        self._arriving += at_once
        try:
            yield at_once
        finally:
            self._arriving -= at_once
            self._work.set()

    def _begin(self, run: Run, channel: Channel, events: Sequence[RunEvent], at_once: bool) -> None:
        channel.add(events)
        self._hub.adopt(run.id, channel)
        if at_once:
            self._execute(replace(run, last_event=events[-1].seq))

    def _taken_at_once(self, run: Run) -> Run:
        # Inserted and leased in one transaction: no detour through the queue.
        started = advance(run, RunStatus.IN_PROGRESS, int(self._clock()))
        return replace(started, lease_owner=self._name, attempt=run.attempt + 1)

    @property
    def _has_room(self) -> bool:
        return not self._draining and len(self._executions) + self._arriving < self._most_runs

    @property
    def draining(self) -> bool:
        """Whether no more runs are taken, because the process ends."""
        return self._draining

    def age(self, run_id: str) -> float | None:
        """Return the seconds since this process went to work on a run, if it does now."""
        execution = self._executions.get(run_id)
        return None if execution is None else self._clock() - execution.begun

    async def cancel(self, thread_id: str, run_id: str) -> Run:
        """Stop a run and return it as `cancelling`; refuse if it has ended."""
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                return await self._cancel(thread_id, run_id)
        except TimeoutError as error:
            raise Unavailable("The run cannot be cancelled now; try again in a moment.") from error

    async def _cancel(self, thread_id: str, run_id: str) -> Run:
        while True:
            run = await self._store.runs.get(thread_id, run_id)
            if run.status in TERMINAL:
                raise InvalidRequest(f"Cannot cancel run with status '{run.status}'.")
            if run.status is RunStatus.CANCELLING:
                return run
            execution = self._executions.get(run_id)
            if execution is None:
                # Shielded: a run that was claimed must be executed, or nobody ever would.
                if await asyncio.shield(self._take_to_stop(run_id, Stop.CANCEL)):
                    await self._store.runs.mark_cancelling(run_id)
                    return self._cancelling(run)
                # Claimed this instant: its execution is about to appear.
                await asyncio.sleep(0.01)
            elif execution.ending:
                await execution.ended()
            else:
                execution.stop(Stop.CANCEL)
                await self._store.runs.mark_cancelling(run_id)
                return self._cancelling(run)

    def _cancelling(self, run: Run) -> Run:
        now = int(self._clock())
        return advance(run, RunStatus.CANCELLING, now, required_action=None)

    def abandon(self, run_id: str) -> None:
        """Stop executing a run whose thread was deleted, and let its followers go."""
        execution = self._executions.get(run_id)
        if execution is not None:
            execution.stop(Stop.LOST)
        else:
            self._hub.close(run_id)

    def note_metadata(
        self, run_id: str, metadata: Mapping[str, str], message_id: str | None = None
    ) -> None:
        """Let a run that is being executed show what a client has changed, of it or its message."""
        execution = self._executions.get(run_id)
        if execution is not None:
            execution.note_metadata(metadata, message_id)

    async def _take(self) -> RunExecution | None:
        run = await self._store.runs.claim(self._name)
        return None if run is None else self._execute(run)

    async def _take_to_stop(self, run_id: str, reason: Stop) -> bool:
        """End a run that nobody works on; return whether it was one."""
        run = await self._store.runs.claim_idle(self._name, run_id)
        if run is None:
            return False
        try:
            remains = await read_remains(self._store, run_id)
        except SQLAlchemyError:
            await self._store.runs.release(Fence(run_id, self._name, run.attempt))
            raise
        self._execute(run, remains).stop(reason)
        return True

    def _execute(self, run: Run, remains: Remains | None = None, skipped: int = 0) -> RunExecution:
        fence = Fence(run.id, self._name, run.attempt)
        channel = self._hub.open(run.id, run.last_event + skipped)
        journal = Journal(channel, fence, self._writer, self._store)
        execution = RunExecution(
            run, journal, self._store, self._source, self._toolbox, self._clock, remains
        )
        journal.on_lost = lambda: execution.stop(Stop.LOST)
        self._executions[run.id] = execution
        execution.when_ended(lambda: self._forget(run.id))
        return execution

    def _forget(self, run_id: str) -> None:
        self._executions.pop(run_id, None)
        self._hub.close(run_id)
        self._work.set()

    async def _settle(self, run: Run) -> None:
        # Followers may have seen events that were not stored; their numbers must not come again.
        remains = await read_remains(self._store, run.id)
        execution = self._execute(run, remains, skipped=NUMBERS_SKIPPED)
        cancelled = run.status is RunStatus.CANCELLING
        execution.stop(Stop.CANCEL if cancelled else Stop.SHUTDOWN)
        await execution.ended()

    async def _dispatch(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                while self._has_room and await self._take() is not None:
                    pass
            except SQLAlchemyError:
                self._work.set()  # whoever waits must not be forgotten
                raise

    async def _expire(self) -> None:
        while True:
            for run_id in await self._store.runs.overdue(int(self._clock())):
                await self._take_to_stop(run_id, Stop.EXPIRE)
            await asyncio.sleep(EXPIRY_SECONDS)

    async def _keep_house(self) -> None:
        while True:
            await self._store.events.forget(int(self._clock()) - EVENTS_KEPT_SECONDS)
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def _wait_for_executions(self, seconds: float) -> None:
        waiting = [execution.ended() for execution in self._executions.values()]
        if waiting:
            await asyncio.wait([asyncio.ensure_future(w) for w in waiting], timeout=seconds)
