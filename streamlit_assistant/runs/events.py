"""Live events of runs: whoever executes publishes, any number of followers read.

A channel keeps the events of one active run in memory, so that no database lies between the
model's token and a follower's screen. After the run ended, followers read the database.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from streamlit_assistant import responses
from streamlit_assistant.records import JSON, Run, RunEvent, RunStatus
from streamlit_assistant.runs.transitions import TERMINAL
from streamlit_assistant.store import Store

LOOKS, LOOK_SECONDS = 10, 0.02  # for the channel of a run that is active
# The statuses after which a stream ends, even though the run may go on later.
PAUSES = TERMINAL | {RunStatus.REQUIRES_ACTION}
_LAST_EVENTS = frozenset(f"thread.run.{status}" for status in PAUSES)


def ends_stream(event: RunEvent) -> bool:
    """Whether nothing follows this event in a stream."""
    return event.name in _LAST_EVENTS


class Channel:
    """The numbered events of one run, from `start` on."""

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._events: list[RunEvent] = []
        self._news = asyncio.Event()
        self._end = asyncio.Event()
        self.closed = False

    @property
    def last_seq(self) -> int:
        """The number of the newest event."""
        return self._start + len(self._events)

    @property
    def start(self) -> int:
        """The number after which this channel knows everything."""
        return self._start

    def number(self, name: str, data: JSON, ahead: int = 0) -> RunEvent:
        """Return an event with the next number, or one `ahead` of it; nobody sees it yet."""
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return RunEvent(self.last_seq + 1 + ahead, name, text)

    def add(self, events: Sequence[RunEvent]) -> None:
        """Hand numbered events to every follower."""
        self._events.extend(events)
        self._wake()

    def close(self) -> None:
        """End every follower once it has read what is there."""
        self.closed = True
        self._end.set()
        self._wake()

    async def until_closed(self, seconds: float) -> None:
        """Wait for the end of the events, at most so long."""
        await _within(seconds, self._end)

    async def follow(self, after: int, heartbeat: float) -> AsyncIterator[Sequence[RunEvent]]:
        """Yield the events after a number in batches: what is there, then what comes.

        An empty batch stands for `heartbeat` seconds in which nothing came.
        """
        position = max(after - self._start, 0)
        while True:
            news = self._news
            batch = self._events[position:]
            if batch:
                position += len(batch)
                yield batch
            elif self.closed:
                return
            elif not await _within(heartbeat, news):
                yield ()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class EventHub:
    """The channels of the runs that are active in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._channels: dict[str, Channel] = {}
        self._over = False

    def open(self, run_id: str, start: int = 0) -> Channel:
        """Return the run's channel, made if need be; `start` is the last stored event."""
        return self._channels.setdefault(run_id, Channel(start))

    def adopt(self, run_id: str, channel: Channel) -> None:
        """Serve a new run's followers from a channel made for it."""
        self._channels[run_id] = channel
        if self._over:
            self.close(run_id)

    def close(self, run_id: str) -> None:
        """End the followers of a run; later ones read the database."""
        channel = self._channels.pop(run_id, None)
        if channel is not None:
            channel.close()

    def close_all(self) -> None:
        """End every follower, now and from now on, because the process ends."""
        self._over = True
        for run_id in list(self._channels):
            self.close(run_id)

    async def until_paused(self, run_id: str, seconds: float) -> None:
        """Wait until the run ends or pauses, or for so long; not at all if not active here."""
        channel = self._channels.get(run_id)
        if channel is not None:
            await channel.until_closed(seconds)

    async def follow(
        self, run: Run, after: int, heartbeat: float
    ) -> AsyncIterator[Sequence[RunEvent]]:
        """Yield the run's events after a number, none twice, none left out, until it pauses.

        `after` may be any number ever seen; an empty batch is `heartbeat` seconds of silence.
        """
        channel = await self._channel_of(run)
        if channel is None or after < channel.start:
            stored = await self._stored(run, after)
            if stored:
                yield stored
                after = stored[-1].seq
        if channel is not None:
            async for batch in channel.follow(after, heartbeat):
                yield batch

    async def _channel_of(self, run: Run) -> Channel | None:
        for _ in range(LOOKS):
            channel = self._channels.get(run.id)
            if channel is not None or run.status in PAUSES or self._over:
                return channel
            run = await self._store.runs.get(run.thread_id, run.id)
            if run.status not in PAUSES:
                # It was stored this instant, and its channel is about to be there.
                await asyncio.sleep(LOOK_SECONDS)
        return None

    async def _stored(self, run: Run, after: int) -> Sequence[RunEvent]:
        events = await self._store.events.after(run.id, after)
        if events or run.status not in PAUSES or after == run.last_event:
            return events
        # The events of a run that ended long ago are gone; its outcome is not. Nor is it for a
        # follower that saw more than the process could store before it was killed.
        data = json.dumps(responses.run(run), ensure_ascii=False, separators=(",", ":"))
        return [RunEvent(run.last_event, f"thread.run.{run.status}", data)]


async def _within(seconds: float, event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
