"""The journal of an attempt: what it emits is seen at once and stored soon, in order.

Text deltas are published first and stored in groups, one transaction for all runs together.
Everything a client may act on (a new message, the end of a run) is stored before it is seen.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from streamlit_assistant.records import JSON, Message, RunEvent, RunStep
from streamlit_assistant.runs.channel import Channel
from streamlit_assistant.runs.pace import Pace
from streamlit_assistant.runs.patience import PASSING, attempts
from streamlit_assistant.store import Fence, Store
from streamlit_assistant.store.signals import of_run
from streamlit_assistant.untorn import untorn

logger = logging.getLogger(__name__)

SOON_SECONDS = 0.003
NEVER = (SQLAlchemyError, ValueError)  # of which the latter says that a text is no text

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

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store = store
        self._pace = pace
        self._waiting: set[Journal] = set()
        self._work = asyncio.Event()

    def mark(self, journal: "Journal") -> None:
        """Remember that a journal has something to store."""
        self._waiting.add(journal)
        self._work.set()

    async def run(self) -> None:
        """Store what is pending soon after it came, until cancelled."""
        loop, flushed = asyncio.get_running_loop(), 0.0
        while True:
            await self._work.wait()
            await asyncio.sleep(self._rest(loop.time() - flushed))
            flushed = loop.time()
            if not await self.flush():
                await asyncio.sleep(self._pace.look)  # the database is away: no need to hurry

    def _rest(self, since_flush: float) -> float:
        # A commit that follows soon takes the pending events along.
        if self._store.signals.neighbours == 0:
            return self._pace.flush
        return max(self._pace.shared_flush - since_flush, SOON_SECONDS)

    @property
    def pending(self) -> int:
        """How many events are still to be stored."""
        return sum(len(journal.pending) for journal in self._waiting)

    async def flush(self) -> bool:
        """Store what is pending now; return False if it could not be stored and stays pending."""
        self._work.clear()
        # Who is just committing takes what is pending along.
        journals = {journal for journal in self._waiting if not journal.lock.locked()}
        self._waiting -= journals
        if self._waiting:
            self._work.set()
        async with AsyncExitStack() as held:
            for journal in journals:
                await held.enter_async_context(journal.lock)
            return await self._store_all(journals)

    async def _store_all(self, journals: "set[Journal]") -> bool:
        batches = {j.fence: list(j.pending) for j in journals if j.pending}
        try:
            lost = await self._append(batches)
        except PASSING as error:
            # No traceback: the database is away, and this is tried until it is back.
            logger.warning("events not stored, trying again: %s", type(error).__name__)
            self._waiting |= journals
            self._work.set()
            return False
        for journal in journals:
            journal.stored(len(batches.get(journal.fence, ())))
            if journal.fence in lost:
                journal.on_lost()
        self._store.signals.send(*(of_run(fence.run_id) for fence in batches))
        return True

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
        # Held by whoever stores events, so that the run's numbers reach the database in order.
        self.lock = asyncio.Lock()
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
        unless_cancelling: bool = False,
    ) -> None:
        """Store events together with what they announce, then show them.

        Tries until the database takes it, however long it is away: a run must not fail because of
        that. Raises `LeaseLost` if the attempt no longer owns the run, and `CancelRequested` where
        a cancelled run shall not be changed. A cancellation waits until it is done.
        """
        save = partial(
            self._store.runs.save,
            self.fence,
            changes=changes,
            new=new,
            changed=changed,
            unless_cancelling=unless_cancelling,
        )
        await untorn(self._commit(emissions, save))

    async def _commit(
        self, emissions: Sequence[Emission], save: Callable[..., Awaitable[None]]
    ) -> None:
        announced = [
            self._channel.number(name, data, ahead) for ahead, (name, data) in enumerate(emissions)
        ]
        async for attempt in attempts():
            with attempt:
                async with self.lock:
                    # Read under the lock: a flush may just have stored what was pending.
                    events = [*self.pending, *announced]
                    await save(events=events)
                    self.pending.clear()
        self._channel.add(announced)
        self._store.signals.send(of_run(self.fence.run_id))

    def drop_pending(self) -> None:
        """Forget what was shown but cannot be stored."""
        self.pending.clear()

    def stored(self, count: int) -> None:
        """Forget the first pending events: the database has them."""
        del self.pending[:count]
