"""The journal of an attempt: what it emits is seen at once and stored soon, in order.

Text deltas are published first and stored in groups, one transaction for all runs together.
Everything a client may act on (a new message, the end of a run) is stored before it is seen.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_never,
    wait_exponential,
)

from streamlit_assistant.records import JSON, Message, RunEvent, RunStep
from streamlit_assistant.runs.events import Channel
from streamlit_assistant.runs.untorn import untorn
from streamlit_assistant.store import Fence, Store

FLUSH_SECONDS = 0.05
SAVE_ATTEMPTS = 6  # a busy or briefly unreachable database gets about six seconds

logger = logging.getLogger(__name__)

# What a database in trouble raises; anything else would fail again.
PASSING = (OperationalError, InterfaceError, PoolTimeout)
NEVER = (SQLAlchemyError, ValueError)  # of which the latter says that a text is no text
LONGEST_PAUSE = 3.0  # seconds between two attempts

Emission = tuple[str, JSON]


@dataclass(frozen=True)
class Closing:
    """What ends a message or a step: the records to store and the events that announce them."""

    records: Sequence[Message | RunStep] = ()
    emissions: Sequence[Emission] = ()

    def __add__(self, other: "Closing") -> "Closing":
        return Closing(
            [*self.records, *other.records],
            [*self.emissions, *other.emissions],
        )


class EventWriter:
    """Stores the pending events of every journal, one transaction a flush."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: set[Journal] = set()
        self._work = asyncio.Event()
        # Held by whoever stores events, so that a run's numbers reach the database in order.
        self.lock = asyncio.Lock()

    def mark(self, journal: "Journal") -> None:
        """Remember that a journal has something to store."""
        self._waiting.add(journal)
        self._work.set()

    async def run(self) -> None:
        """Store what is pending, `FLUSH_SECONDS` after it came, until cancelled."""
        while True:
            await self._work.wait()
            # Waiting comes first: a commit that follows soon takes the pending events along, and
            # finds the lock free.
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Store what is pending now. What could not be stored stays pending."""
        async with self.lock:
            self._work.clear()
            journals, self._waiting = self._waiting, set()
            batches = {j.fence: list(j.pending) for j in journals if j.pending}
            try:
                lost = await self._append(batches)
            except PASSING:
                logger.exception("events not stored, will be tried again")
                self._waiting |= journals
                self._work.set()
                return
            for journal in journals:
                journal.stored(len(batches.get(journal.fence, ())))
                if journal.fence in lost:
                    journal.on_lost()

    async def _append(self, batches: Mapping[Fence, Sequence[RunEvent]]) -> Collection[Fence]:
        try:
            return await self._store.events.append(batches) if batches else ()
        except PASSING:
            raise
        except NEVER:
            # One run's events cannot be stored: each is tried alone, so that the others are.
            return {fence for fence, events in batches.items() if await self._fails(fence, events)}

    async def _fails(self, fence: Fence, events: Sequence[RunEvent]) -> bool:
        try:
            return bool(await self._store.events.append({fence: events}))
        except PASSING:
            raise
        except NEVER:
            logger.exception("events cannot be stored", extra={"run_id": fence.run_id})
            return False  # its outcome can: the run goes on without these


class Journal:
    """The events of one attempt at one run. Only the attempt's own task emits."""

    def __init__(self, channel: Channel, fence: Fence, writer: EventWriter, store: Store) -> None:
        self.fence = fence
        self.pending: list[RunEvent] = []
        # Called when the run turns out to be another's, or deleted.
        self.on_lost: Callable[[], None] = lambda: None
        self._channel = channel
        self._writer = writer
        self._store = store

    def emit(self, name: str, data: JSON) -> None:
        """Show an event to the followers now; it is stored with the next flush."""
        event = self._channel.number(name, data)
        self._channel.add([event])
        self.pending.append(event)
        self._writer.mark(self)

    async def commit(
        self,
        emissions: Sequence[Emission],
        changes: Mapping[str, Any],
        new: Sequence[Message | RunStep] = (),
        changed: Sequence[Message | RunStep] = (),
        lasting: bool = False,
    ) -> None:
        """Store events together with what they announce, then show them.

        `lasting`: try until the database takes it, however long it is away. Raises `LeaseLost` if
        the attempt no longer owns the run. A cancellation waits until it is done.
        """
        await untorn(self._commit(emissions, changes, new, changed, lasting))

    async def _commit(
        self,
        emissions: Sequence[Emission],
        changes: Mapping[str, Any],
        new: Sequence[Message | RunStep],
        changed: Sequence[Message | RunStep],
        lasting: bool,
    ) -> None:
        announced = [
            self._channel.number(name, data, ahead) for ahead, (name, data) in enumerate(emissions)
        ]
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(PASSING),
            stop=stop_never if lasting else stop_after_attempt(SAVE_ATTEMPTS),
            wait=wait_exponential(multiplier=0.1, max=LONGEST_PAUSE),
            before_sleep=_log_retry,
            reraise=True,
        ):
            with attempt:
                async with self._writer.lock:
                    # Read under the lock: a flush may just have stored what was pending.
                    events = [*self.pending, *announced]
                    await self._store.runs.save(
                        self.fence, changes=changes, events=events, new=new, changed=changed
                    )
                    self.pending.clear()
        self._channel.add(announced)

    def drop_pending(self) -> None:
        """Forget what was shown but cannot be stored."""
        self.pending.clear()

    def stored(self, count: int) -> None:
        """Forget the first pending events: the database has them."""
        del self.pending[:count]


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("not stored, will be tried again", exc_info=error)
