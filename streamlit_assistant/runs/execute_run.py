"""One attempt at one run: ask the model, show and store what it says, end in a legal status."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from enum import Enum, auto

from streamlit_assistant import responses
from streamlit_assistant.errors import LeaseLost, UpstreamError
from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    ProviderSource,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.records import JSON, Clock, Run, RunStatus
from streamlit_assistant.runs import endings
from streamlit_assistant.runs.answer import Answer
from streamlit_assistant.runs.delta_fold import REFUSAL, TEXT
from streamlit_assistant.runs.endings import Ending
from streamlit_assistant.runs.journal import Emission, Journal
from streamlit_assistant.runs.prompt import build_request
from streamlit_assistant.runs.transitions import advance
from streamlit_assistant.store import Store

logger = logging.getLogger(__name__)

_ENDINGS = {
    FinishReason.STOP: endings.COMPLETED,
    FinishReason.MAX_TOKENS: endings.OUT_OF_TOKENS,
    FinishReason.CONTENT_FILTER: endings.FILTERED,
}
_OUTCOME = (
    *("status", "model", "usage", "last_error", "incomplete_details", "expires_at"),
    *("completed_at", "failed_at", "cancelled_at"),
)
INTERRUPTED = "The server was stopped while this answer was being written."
DEFECT = "Sorry, something went wrong on this server. Its log says what."


class Stop(Enum):
    """Why an attempt was told to stop."""

    CANCEL = auto()  # the run was cancelled
    SHUTDOWN = auto()  # this process ends
    LOST = auto()  # another process owns the run, or it was deleted


class RunExecution:
    """One attempt, in a task of its own that begins at once."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        store: Store,
        source: ProviderSource,
        clock: Clock,
        answer: Answer | None = None,
    ) -> None:
        """`answer` is what an earlier attempt had shown."""
        self._run = run
        self._journal = journal
        self._store = store
        self._source = source
        self._clock = clock
        self._answer = answer
        self._usage: JSON | None = None
        self._stop: Stop | None = None
        self._started = False
        self.ending = False  # the outcome is decided and being stored
        self._task = asyncio.create_task(self._execute(), name=f"execute {run.id}")

    @property
    def thread_id(self) -> str:
        """The thread that is being answered."""
        return self._run.thread_id

    def stop(self, reason: Stop) -> None:
        """Ask the attempt to stop; without effect once its outcome is decided."""
        if self.ending or self._stop is not None:
            return
        self._stop = reason
        # A task cancelled before its first step would never run, and the run never end.
        if self._started:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until the attempt is over, however it went."""
        await asyncio.wait([self._task])

    def when_ended(self, then: Callable[[], None]) -> None:
        """Call back once the attempt is over; a defect that broke it is in the log."""
        self._task.add_done_callback(lambda _: then())

    async def _execute(self) -> None:
        self._started = True
        try:
            await self._end(await self._outcome())
        except LeaseLost:
            logger.warning("lease lost", extra={"run_id": self._run.id})
        except Exception:  # a defect in what was to be stored: the thread must not stay locked
            logger.exception("outcome not stored", extra={"run_id": self._run.id})
            await self._journal.commit([], _outcome_columns(self._failed_plainly()), lasting=True)

    def _failed_plainly(self) -> Run:
        now = int(self._clock())
        error = endings.failed(DEFECT).last_error
        return replace(
            self._run, status=RunStatus.FAILED, failed_at=now, expires_at=None, last_error=error
        )

    async def _outcome(self) -> Ending | None:
        """Return how the run ends, or None if it is to be handed back unexecuted."""
        try:
            return self._stopped() if self._stop else await self._ask_model()
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            # The cancellation was ours and is answered here; what follows must not see it.
            self._task.uncancel()
            return self._stopped()
        except TimeoutError:
            return endings.EXPIRED
        except UpstreamError as error:
            logger.warning("upstream failed: %s", error.message, extra={"run_id": self._run.id})
            return endings.failed(error.message, error.code)
        except LeaseLost:
            raise
        except Exception:  # the outermost frame of a run: whatever broke, the run must end
            logger.exception("run failed", extra={"run_id": self._run.id})
            return endings.failed(DEFECT)

    def _stopped(self) -> Ending | None:
        if self._stop is Stop.LOST:
            raise LeaseLost(self._run.id)
        if self._stop is Stop.CANCEL:
            return endings.CANCELLED
        return endings.failed(INTERRUPTED) if self._answer else None

    async def _ask_model(self) -> Ending:
        if self._run.attempt == 1 or not await self._announced():
            self._journal.emit("thread.run.in_progress", responses.run(self._run))
        finish: Finish | None = None
        async with asyncio.timeout(self._seconds_left()):
            choice = await self._source.choose(self._run.model)
            self._run = replace(self._run, model=choice.model)
            request = await build_request(self._store, self._run, choice.model)
            async with aclosing(choice.provider.stream(request)) as deltas:
                async for delta in deltas:
                    finish = await self._take(delta) or finish
        if finish is None:
            raise UpstreamError("The model server closed the connection before the answer ended.")
        if self._answer is None and finish.reason is FinishReason.STOP:
            raise UpstreamError("The model server sent an empty answer.")
        return _ENDINGS[finish.reason]

    async def _announced(self) -> bool:
        events = await self._store.events.after(self._run.id, 0)
        return any(event.name == "thread.run.in_progress" for event in events)

    def _seconds_left(self) -> float | None:
        if self._run.expires_at is None:
            return None
        return max(self._run.expires_at - self._clock(), 0)

    async def _take(self, delta: Delta) -> Finish | None:
        match delta:
            case TextDelta(text):
                await self._append(TEXT, text)
            case RefusalDelta(text):
                await self._append(REFUSAL, text)
            case Usage(prompt_tokens, completion_tokens):
                self._usage = {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": completion_tokens,
                    "total_tokens": prompt_tokens + completion_tokens,
                }
            case Finish():
                return delta
        return None

    async def _append(self, kind: str, piece: str) -> None:
        if not piece:
            return
        if self._answer is None:
            await _untorn(self._begin_answer())
        if self._answer is not None:
            self._answer.append(kind, piece, self._journal)

    async def _begin_answer(self) -> None:
        self._answer = await Answer.begin(self._run, self._journal, int(self._clock()))

    async def _end(self, ending: Ending | None) -> None:
        self.ending = True
        if ending is None:
            await self._journal.commit([], {"lease_owner": None})
            return
        now = int(self._clock())
        emissions: list[Emission] = []
        if ending is endings.CANCELLED and self._run.status is not RunStatus.CANCELLING:
            self._run = advance(self._run, RunStatus.CANCELLING, now)
            emissions.append(("thread.run.cancelling", responses.run(self._run)))
        message = step = None
        if self._answer is not None:
            message, step, announced = self._answer.end(ending, self._usage, now)
            emissions += announced
        self._run = advance(
            self._run,
            ending.run,
            now,
            usage=self._usage,
            last_error=ending.last_error,
            incomplete_details=ending.incomplete_details,
        )
        emissions.append((f"thread.run.{self._run.status}", responses.run(self._run)))
        await self._journal.commit(
            emissions, _outcome_columns(self._run), message, step, lasting=True
        )


async def _untorn(work: Coroutine[None, None, None]) -> None:
    """Await work that a cancellation may follow but not cut in two.

    A transaction may have been committed although its waiter was cancelled; what this process
    remembers must not differ from what the database holds.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error  # and perhaps again: a cancel and an expiry may come together
    task.result()
    if cancelled is not None:
        raise cancelled


def _outcome_columns(run: Run) -> JSON:
    """Return the columns an attempt decides."""
    return {name: getattr(run, name) for name in _OUTCOME}
