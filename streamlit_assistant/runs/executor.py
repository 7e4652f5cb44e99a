"""The executor: takes runs, executes them, stops them on demand, and takes over dead processes'."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from streamlit_assistant import responses
from streamlit_assistant.errors import InvalidRequest, TooManyRuns, Unavailable
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.providers.choice import ProviderSource
from streamlit_assistant.records import Clock, Message, Run, RunEvent, RunStatus, Thread
from streamlit_assistant.runs.channel import Channel
from streamlit_assistant.runs.events import EventHub
from streamlit_assistant.runs.execute_run import RunExecution, Stop, all_ended
from streamlit_assistant.runs.figures import Figures
from streamlit_assistant.runs.housekeeping import chores
from streamlit_assistant.runs.journal import EventWriter, Journal
from streamlit_assistant.runs.membership import Membership
from streamlit_assistant.runs.oversight import Oversight
from streamlit_assistant.runs.pace import Pace
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.runs.recovery import Remains, read_remains
from streamlit_assistant.runs.submission import AGAIN_SECONDS, Submission, submission
from streamlit_assistant.runs.transitions import TERMINAL, advance
from streamlit_assistant.store import Fence, Limits, Store
from streamlit_assistant.store.runs import Added
from streamlit_assistant.store.signals import EVERYTHING, WORK, of_run
from streamlit_assistant.supervision import supervise
from streamlit_assistant.tools.toolbox import Toolbox
from streamlit_assistant.waiting import came_within

STOP_SECONDS = 3.0  # how long storing answers may take once they had to stop
CANCEL_SECONDS = 10.0  # how long a cancellation may wait for the database


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
        role: str = "all",
        limits: Limits | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`role`: "api" executes nothing, it only takes runs in and lets others know."""
        self._store = store
        self._hub = hub
        self._source = source
        self._toolbox = toolbox
        self._clock = clock
        self._limits = limits or Limits()
        self._pace = pace or Pace()
        self._writer = EventWriter(store, self._pace)
        self._executions: dict[str, RunExecution] = {}
        self._work = asyncio.Event()
        self._draining = False
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: Counter[str] = Counter()  # runs by the status in which they ended here
        self._refused = 0
        self.membership = Membership(store, role, self._pace)
        self._oversight = Oversight(store, self.membership, self._executions, self._settle)
        self.membership.on_lost = self._give_up
        self.membership.on_burial = self._oversight.look
        store.signals.hear(self._hear)

    async def start(self) -> None:
        """Join the other processes and begin to take runs, those of dead processes included."""
        await self.membership.join()
        loops = [self.membership.beat, *self._store.signals.loops(), self._writer.run]
        loops += [self._oversight.run, *chores(self._store, self._clock, self._take_to_stop)]
        if self.membership.works:
            loops.append(self._dispatch)
        self._tasks = [asyncio.create_task(supervise(loop, PASSING)) for loop in loops]
        self._work.set()

    async def stop(self) -> None:
        """Give running answers a moment, store what there is, end every follower."""
        self._draining = True
        await all_ended(self._executions.values(), self._pace.drain)
        for execution in list(self._executions.values()):
            execution.stop(Stop.SHUTDOWN)
        await all_ended(self._executions.values(), STOP_SECONDS)
        await self._writer.flush()
        self._hub.close_all()
        if self._tasks:
            await self.membership.leave()
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

        leased, limits = self._leased(run), self._limits_now()
        add = self._store.runs.add
        try:
            added = await add(run, announce, new_messages, new_thread, stores, leased, limits)
        except TooManyRuns:
            self._refused += 1
            raise
        self._begin(leased or run, channel, added)

    async def submit(self, thread_id: str, run_id: str, outputs: list[tuple[str, str]]) -> Run:
        """Go on with a run that waits for these outputs (call id, text); return it queued.

        Its `last_event` is the number behind which a follower sees what comes of it.
        """
        while True:
            run = await self._store.runs.get(thread_id, run_id)
            made = await submission(self._store, run, outputs, int(self._clock()))
            if made is not None and await self._resume(made, run.last_event):
                return made.run
            await asyncio.sleep(AGAIN_SECONDS)

    async def _resume(self, made: Submission, last_event: int) -> bool:
        channel, leased = Channel(last_event), self._leased(made.run)
        events = [channel.number(*e, ahead=n) for n, e in enumerate(made.emissions)]
        resume = self._store.runs.resume
        added = await resume(made.run, made.step, events, leased, self._limits_now())
        if added is not None:
            self._begin(leased or made.run, channel, added)
        return added is not None

    def _limits_now(self) -> Limits:
        return replace(self._limits, processes=self.membership.living)

    def _leased(self, run: Run) -> Run | None:
        # Stored and leased in one transaction: no detour through the queue.
        if self._draining:
            raise Unavailable("The server is ending; try again in a moment.")
        if not self.membership.works:
            return None
        started = advance(run, RunStatus.IN_PROGRESS, int(self._clock()))
        return replace(started, lease_owner=self.membership.name, attempt=run.attempt + 1)

    def _begin(self, run: Run, channel: Channel, added: Added) -> None:
        if added.is_leased:
            channel.add(added.events)
            self._execute(replace(run, last_event=channel.last_seq), channel)
        else:
            self._work.set()
            self._store.signals.send(WORK)

    @property
    def draining(self) -> bool:
        """Whether no more runs are taken, because the process ends."""
        return self._draining

    def figures(self, followers: int) -> Figures:
        """Return what this process has done and has in hand."""
        return Figures(self._ended, self._refused, followers, self._writer.pending)

    def age(self, run: Run) -> float:
        """Return the seconds since somebody went to work on a run, or since it began to wait."""
        execution = self._executions.get(run.id)
        since = run.started_at or run.created_at
        return self._clock() - (since if execution is None else execution.begun)

    async def cancel(self, thread_id: str, run_id: str) -> Run:
        """Stop a run, wherever it is executed; return it as `cancelling`, refuse an ended one."""
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
            if execution is not None and execution.ending:
                await execution.ended()
                continue
            if execution is not None:
                execution.stop(Stop.CANCEL)
            # Shielded: a run that was claimed must be executed, or nobody ever would.
            is_ours = execution is not None or await asyncio.shield(
                self._take_to_stop(run_id, Stop.CANCEL)
            )
            if not is_ours and run.lease_owner in (None, self.membership.name):
                await asyncio.sleep(0.01)  # claimed this instant: its execution is about to appear
                continue
            if not await self._store.runs.mark_cancelling(run_id) and not is_ours:
                continue  # whoever worked on it has let go of it meanwhile, and knows of nothing
            self._store.signals.send(of_run(run_id))
            now = int(self._clock())
            return advance(run, RunStatus.CANCELLING, now, required_action=None)

    def abandon(self, run_id: str) -> None:
        """Stop executing a run whose thread was deleted, and let its followers go."""
        execution = self._executions.get(run_id)
        if execution is not None:
            execution.stop(Stop.LOST)
        self._hub.poke(run_id)
        self._store.signals.send(of_run(run_id))

    def note_metadata(
        self, run_id: str, metadata: Mapping[str, str], message_id: str | None = None
    ) -> None:
        """Let a run that is being executed show what a client has changed, of it or its message."""
        execution = self._executions.get(run_id)
        if execution is not None:
            execution.note_metadata(metadata, message_id)
        else:
            self._store.signals.send(of_run(run_id))

    async def _take(self) -> RunExecution | None:
        run = await self._store.queue.claim(self.membership.name, self._limits)
        return None if run is None else self._execute(run)

    async def _take_to_stop(self, run_id: str, reason: Stop) -> bool:
        """End a run that nobody works on; return whether it was one."""
        run = await self._store.queue.claim_idle(self.membership.name, run_id)
        if run is not None:
            await self._settle(run, reason)
        return run is not None

    async def _settle(self, run: Run, reason: Stop) -> None:
        """End or hand back a run that is ours, and that nobody in this process works on."""
        self._oversight.taken.add(run.id)
        try:
            remains = await read_remains(self._store, run.id)
        finally:
            self._oversight.taken.discard(run.id)
        self._execute(run, remains=remains).stop(reason)

    def _execute(
        self, run: Run, channel: Channel | None = None, remains: Remains | None = None
    ) -> RunExecution:
        fence = Fence(run.id, run.lease_owner or self.membership.name, run.attempt)
        channel = channel or Channel(run.last_event)
        self._hub.adopt(run.id, channel)
        journal = Journal(channel, fence, self._writer, self._store)
        execution = RunExecution(
            run, journal, self._store, self._source, self._toolbox, self._clock, remains
        )
        journal.on_lost = lambda: execution.stop(Stop.LOST)
        self._executions[run.id] = execution
        execution.when_ended(lambda: self._forget(execution))
        if self._draining:
            execution.stop(Stop.SHUTDOWN)  # it was being stored when the end began: others' now
        return execution

    def _forget(self, execution: RunExecution) -> None:
        if self._executions.get(execution.run_id) is execution:
            del self._executions[execution.run_id]
            self._hub.close(execution.run_id)
        if execution.status in TERMINAL:
            self._ended[execution.status] += 1
        self._work.set()

    def _give_up(self) -> None:
        for execution in list(self._executions.values()):
            execution.stop(Stop.LOST)

    def _hear(self, topic: str) -> None:
        if topic in (WORK, EVERYTHING):
            self._work.set()

    async def _dispatch(self) -> None:
        while True:
            await came_within(self.membership.patience, self._work)  # a signal may have been missed
            self._work.clear()
            try:
                while not self._draining and await self._take() is not None:
                    pass
            except SQLAlchemyError:
                self._work.set()  # whoever waits must not be forgotten
                raise
