"""One attempt at one run: its rounds, what stops them, and a legal status at the end."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import Enum, auto

from streamlit_assistant import responses
from streamlit_assistant.errors import CancelRequested, LeaseLost, UpstreamError
from streamlit_assistant.providers.choice import ProviderSource
from streamlit_assistant.records import JSON, Clock, Run, RunStatus
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.calling_off import call_off, call_off_if_deleted
from streamlit_assistant.runs.endings import Ending, Pause
from streamlit_assistant.runs.journal import Closing, Journal
from streamlit_assistant.runs.patience import patiently
from streamlit_assistant.runs.recovery import Remains, read_remains
from streamlit_assistant.runs.rounds import Rounds
from streamlit_assistant.runs.token_usage import NO_TOKENS, added_usage
from streamlit_assistant.runs.transitions import advance
from streamlit_assistant.store import Store
from streamlit_assistant.tools.toolbox import Toolbox

logger = logging.getLogger(__name__)

_OUTCOME = (
    *("status", "model", "usage", "last_error", "incomplete_details", "expires_at"),
    *("required_action", "completed_at", "failed_at", "cancelled_at", "notices", "begun"),
)

GIVEN_UP = "The server broke down several times while it was working on this run."
INTERRUPTED = "The server was stopped while this answer was being written."
DEFECT = "Sorry, something went wrong on this server. Its log says what."


class Stop(Enum):
    """Why an attempt was told to stop."""

    CANCEL = auto()  # the run was cancelled
    EXPIRE = auto()  # nobody came with the tool outputs in time
    SHUTDOWN = auto()  # this process ends
    LOST = auto()  # another process owns the run, or it was deleted
    GIVEN_UP = auto()  # too many processes died over it


class RunExecution:
    """One attempt, in a task of its own that begins at once."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        store: Store,
        source: ProviderSource,
        toolbox: Toolbox,
        clock: Clock,
        remains: Remains | None = None,
    ) -> None:
        """`remains` is what an earlier attempt left open, if this one is only to end it."""
        self._run = run
        self._journal = journal
        self._store = store
        self._clock = clock
        self._rounds = Rounds(run, journal, store, source, toolbox, clock)
        self._remains = remains or Remains()
        self._stop: Stop | None = None
        self._started = False
        self.begun = clock()
        self.ending = False  # the outcome is decided and being stored
        self._task = asyncio.create_task(self._execute(), name=f"execute {run.id}")

    def stop(self, reason: Stop) -> None:
        """Ask the attempt to stop; without effect once its outcome is decided.

        A cancellation counts also where the process is about to hand the run back.
        """
        if self.ending or self._stop not in (None, Stop.SHUTDOWN) or self._stop is reason:
            return
        self._stop = reason
        # A task cancelled before its first step would never run, and the run never end.
        if self._started:
            self._task.cancel()

    @property
    def run_id(self) -> str:
        """Which run it is an attempt at."""
        return self._run.id

    @property
    def attempt(self) -> int:
        """Which attempt at the run it is."""
        return self._run.attempt

    @property
    def status(self) -> RunStatus:
        """Where the run stands, as far as this attempt has brought it."""
        return self._run.status

    @property
    def metadata(self) -> Mapping[str, str]:
        """The run's metadata as its next event will show it."""
        return self._rounds.run.metadata

    @property
    def open_message_id(self) -> str | None:
        """The message that is being written."""
        answer = self._rounds.round.answer if self._rounds.round else None
        return None if answer is None else answer.message_id

    async def ended(self) -> None:
        """Wait until the attempt is over, however it went."""
        await asyncio.wait([self._task])

    def note_metadata(self, metadata: Mapping[str, str], message_id: str | None = None) -> None:
        """Let the last events of the run, or of its message, show what a client has changed."""
        if message_id is None:
            self._rounds.run = replace(self._rounds.run, metadata=metadata)
        elif self._rounds.round is not None and self._rounds.round.answer is not None:
            self._rounds.round.answer.note_metadata(metadata, message_id)

    def when_ended(self, then: Callable[[], None]) -> None:
        """Call back once the attempt is over; a defect that broke it is in the log."""
        self._task.add_done_callback(lambda _: then())

    async def _execute(self) -> None:
        self._started = True
        try:
            await self._end(await self._outcome())
        except LeaseLost:
            logger.info("run %s is another's, or its thread was deleted", self._run.id)
            await call_off_if_deleted(self._rounds, self._store)
        except Exception:  # a defect in what was to be stored: the thread must not stay locked
            logger.exception("outcome not stored", extra={"run_id": self._run.id})
            await self._fail_plainly()

    async def _fail_plainly(self) -> None:
        """End the run with what the database holds of it: what this process holds cannot be."""
        self._journal.drop_pending()
        now, ending = int(self._clock()), endings.failed(DEFECT)
        opened = (await read_remains(self._store, self._run.id)).opened
        closing = opened.end(ending, None, now) if opened else Closing()
        run = replace(
            self._run,
            status=RunStatus.FAILED,
            failed_at=now,
            expires_at=None,
            required_action=None,
            last_error=ending.last_error,
            begun=None,
        )
        emissions = [*closing.emissions, ("thread.run.failed", responses.run(run))]
        columns = _outcome_columns(run)
        await self._journal.commit(emissions, columns, changed=closing.records)

    async def _outcome(self) -> Ending | Pause | None:
        """Return how the run ends or pauses, or None if it is to be handed back unexecuted."""
        try:
            return self._stopped() if self._stop else await self._work()
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            # The cancellation was ours and is answered here; what follows must not see it.
            while self._task.uncancel():
                pass
            return self._stopped()
        except UpstreamError as error:
            logger.warning("run %s failed: %s", self._run.id, error.message)
            return endings.failed(error.message, error.code)
        except LeaseLost:
            raise
        except Exception:  # the outermost frame of a run: whatever broke, the run must end
            logger.exception("run failed", extra={"run_id": self._run.id})
            return endings.failed(DEFECT)

    def _stopped(self) -> Ending | None:
        match self._stop:
            case Stop.LOST:
                raise LeaseLost(self._run.id)
            case Stop.CANCEL:
                return endings.CANCELLED
            case Stop.EXPIRE:
                return endings.EXPIRED
            case Stop.GIVEN_UP:
                return endings.failed(GIVEN_UP)
        if self._rounds.run.begun is not None:
            return None  # the model server goes on with it, and so will another process
        return endings.failed(INTERRUPTED) if self._has_shown else None

    @property
    def _has_shown(self) -> bool:
        if self._run.status is RunStatus.REQUIRES_ACTION:
            return False  # taken only to be ended: it still waits
        open_round = self._rounds.round
        shown = open_round is not None and (open_round.answer or open_round.calls)
        return bool(shown or self._remains.opened)

    async def _work(self) -> Ending | Pause:
        if self._run.attempt == 1 or not await self._announced():
            self._journal.emit("thread.run.in_progress", responses.run(self._run))
        limit = asyncio.timeout(self._seconds_left())
        try:
            async with limit:
                return await self._rounds.go()
        except TimeoutError:
            if limit.expired():
                return endings.EXPIRED
            raise

    async def _announced(self) -> bool:
        # What an earlier attempt showed came after it; nothing came since the run was queued.
        last = await patiently(lambda: self._store.events.last(self._run.id))
        return last is None or last.name != "thread.run.queued"

    def _seconds_left(self) -> float | None:
        if self._run.expires_at is None:
            return None
        return max(self._run.expires_at - self._clock(), 0)

    async def _end(self, outcome: Ending | Pause | None) -> None:
        self.ending = True
        try:
            if outcome is None:
                await self._journal.commit([], {"lease_owner": None})
                return
            self._rounds.settle()
            if isinstance(outcome, Pause):
                await self._pause(outcome)
            else:
                await self._finish(outcome)
        except CancelRequested:  # through another process, this instant
            await self._finish(endings.CANCELLED)

    async def _pause(self, pause: Pause) -> None:
        self._run = advance(
            self._rounds.run,
            RunStatus.REQUIRES_ACTION,
            int(self._clock()),
            required_action=pause.action,
            begun=None,
        )
        emissions = [("thread.run.requires_action", responses.run(self._run))]
        changes = {**_outcome_columns(self._run), "lease_owner": None}
        await self._journal.commit(emissions, changes, changed=[pause.step], unless_cancelling=True)

    async def _finish(self, ending: Ending) -> None:
        now = int(self._clock())
        run, begun = self._rounds.run, self._rounds.run.begun
        emissions = []
        if ending is endings.CANCELLED and run.status is not RunStatus.CANCELLING:
            run = advance(run, RunStatus.CANCELLING, now)
            emissions.append(("thread.run.cancelling", responses.run(run)))
        closing = self._close(ending, now)
        self._run = advance(
            run,
            ending.run,
            now,
            required_action=None,
            usage=added_usage(self._remains.usage, self._rounds.usage) or NO_TOKENS,
            last_error=ending.last_error,
            incomplete_details=ending.incomplete_details,
            begun=None,
        )
        emissions += [
            *closing.emissions,
            (f"thread.run.{self._run.status}", responses.run(self._run)),
        ]
        await self._journal.commit(
            emissions,
            _outcome_columns(self._run),
            changed=closing.records,
            unless_cancelling=ending.run in (RunStatus.COMPLETED, RunStatus.INCOMPLETE),
        )
        if ending is not endings.COMPLETED:
            await call_off(self._rounds, begun)

    def _close(self, ending: Ending, now: int) -> Closing:
        if self._remains.opened is not None:
            return self._remains.opened.end(ending, None, now)
        return self._rounds.round.close(ending, now) if self._rounds.round else Closing()


async def all_ended(executions: Iterable[RunExecution], seconds: float) -> None:
    """Wait until every attempt is over, at most so long."""
    waiting = [asyncio.ensure_future(execution.ended()) for execution in executions]
    if waiting:
        await asyncio.wait(waiting, timeout=seconds)


def _outcome_columns(run: Run) -> JSON:
    """Return the columns an attempt decides."""
    return {name: getattr(run, name) for name in _OUTCOME}
