"""A channel: the events of one run in memory, and any number of followers reading them."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence

from streamlit_assistant.json_text import to_json
from streamlit_assistant.records import JSON, RunEvent, RunStatus
from streamlit_assistant.runs.transitions import TERMINAL

# The statuses after which a stream ends, even though the run may go on later.
PAUSES = TERMINAL | {RunStatus.REQUIRES_ACTION}
_LAST_EVENTS = frozenset(f"thread.run.{status}" for status in PAUSES)


def ends_stream(event: RunEvent) -> bool:
    """Whether nothing follows this event in a stream."""
    return event.name in _LAST_EVENTS


class Channel:
    """The numbered events of one run behind number `start`."""

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._events: list[RunEvent] = []
        self._waiting: set[asyncio.Future[bool]] = set()  # followers that have read everything
        self.closed = False
        self.is_over = False  # closed, and nothing follows elsewhere either

    @property
    def last_seq(self) -> int:
        """The number of the newest event."""
        return self._events[-1].seq if self._events else self._start

    @property
    def start(self) -> int:
        """The number after which this channel knows everything."""
        return self._start

    @property
    def is_complete(self) -> bool:
        """Whether the newest event ends the stream."""
        return bool(self._events) and ends_stream(self._events[-1])

    def number(self, name: str, data: JSON, ahead: int = 0) -> RunEvent:
        """Return an event with the next number, or one `ahead` of it; nobody sees it yet."""
        return RunEvent(self.last_seq + 1 + ahead, name, to_json(data))

    def add(self, events: Sequence[RunEvent]) -> None:
        """Hand numbered events to every follower."""
        if events:  # to be woken for nothing would put off their signs of life, again and again
            self._events.extend(events)
            self._wake()

    def close(self, *, moved: bool = False) -> None:
        """Let every follower go once it has read what is there; `moved`: it goes on elsewhere."""
        self.closed = True
        self.is_over = self.is_complete and not moved
        self._wake()

    async def follow(self, after: int, heartbeat: float) -> AsyncIterator[Sequence[RunEvent]]:
        """Yield the events after a number in batches: what is there, then what comes.

        An empty batch stands for `heartbeat` seconds in which nothing came.
        """
        position = bisect_right(self._events, after, key=_seq)
        while True:
            batch = self._events[position:]
            position += len(batch)
            if batch and batch[0].seq <= after:  # read from the database before it came here
                batch = [event for event in batch if event.seq > after]
            if batch:
                yield batch
            elif self.closed:
                return
            elif not await self._news(heartbeat):
                yield ()

    async def _news(self, seconds: float) -> bool:
        # By hand, because it is done for every token and every follower.
        loop = asyncio.get_running_loop()
        news: asyncio.Future[bool] = loop.create_future()
        self._waiting.add(news)
        timer = loop.call_later(seconds, _tell, news, False)
        try:
            return await news
        finally:
            timer.cancel()
            self._waiting.discard(news)

    def _wake(self) -> None:
        for news in self._waiting:
            _tell(news, True)


def _tell(news: asyncio.Future[bool], is_news: bool) -> None:
    if not news.done():
        news.set_result(is_news)


def _seq(event: RunEvent) -> int:
    return event.seq
