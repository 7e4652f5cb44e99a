"""Somebody who follows a run to its end over whatever happens to the processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2

from tests.chaos.cluster import AGAIN, LONGEST_SILENCE, NOT_NOW, Caller
from tests.sse import Event, parse_events

TERMINAL = ("completed", "incomplete", "failed", "cancelled", "expired")
LAST_EVENTS = tuple(f"thread.run.{status}" for status in TERMINAL)


class Follower:
    """Follows a run by any process, and goes on behind the last number it has seen."""

    def __init__(self, caller: Caller, path: str) -> None:
        """`path` is the run's."""
        self.seen: list[Event] = []
        self._caller = caller
        self._path = f"{path}/events"
        self._came = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the last event seen."""
        return int(self.seen[-1].id or 0) if self.seen else 0

    async def until(self, holds: Callable[[Event], bool]) -> None:
        """Wait until such an event has been seen, by a `follow` that is under way."""
        async with asyncio.timeout(LONGEST_SILENCE):
            while not any(map(holds, self.seen)):
                await self._came.wait()

    async def follow_until(self, holds: Callable[[Event], bool]) -> None:
        """Follow only until such an event has been seen."""
        following = asyncio.create_task(self.follow())
        try:
            await self.until(holds)
        finally:
            following.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the run's last event has been seen."""
        return bool(self.seen) and self.seen[-1].event in LAST_EVENTS

    async def follow(self) -> None:
        """Return once the run is over."""
        while not self.is_over:
            try:
                async for event in self._stream():
                    self._take(event)
            except httpx2.TransportError:
                pass  # the process was killed, or is not there yet
            await asyncio.sleep(AGAIN)

    def _asking(self) -> AbstractAsyncContextManager[httpx2.Response]:
        url = self._caller.url + self._path
        headers = {"Last-Event-ID": str(self.last)}
        return self._caller.http.stream("GET", url, headers=headers)

    async def _stream(self) -> AsyncIterator[Event]:
        async with self._asking() as answer:
            if answer.status_code in NOT_NOW:
                return
            assert answer.status_code == 200, await answer.aread()
            async for event in read_stream(answer):
                if event.event in ("done", "error"):  # paused, or the process says good-bye
                    return
                yield event

    def _take(self, event: Event) -> None:
        assert event.id is not None, event
        assert int(event.id) > self.last, f"event {event.id} after {self.last}"
        self.seen.append(event)
        self._came.set()
        self._came = asyncio.Event()
        self._caller.cluster.step()


class Starter(Follower):
    """Has a run made by asking for its stream, with a key; goes on as any follower."""

    def __init__(self, caller: Caller, thread: str, body: Any) -> None:
        """`thread` is the path of a thread that nothing locks."""
        super().__init__(caller, "")
        self._runs = f"{thread}/runs"
        self._body = {**body, "stream": True}
        self._key = caller.new_key()

    async def path(self) -> str:
        """Return the path of the run once it is known, by a `follow` that is under way."""
        await self.until(lambda event: event.event == "thread.run.created")
        return f"{self._runs}/{self.seen[0].json()['id']}"

    def _asking(self) -> AbstractAsyncContextManager[httpx2.Response]:
        if self.seen:
            self._path = f"{self._runs}/{self.seen[0].json()['id']}/events"
            return super()._asking()
        self._caller.cluster.step()
        url, headers = self._caller.url + self._runs, {"Idempotency-Key": self._key}
        return self._caller.http.stream("POST", url, json=self._body, headers=headers)


def says(word: int) -> Callable[[Event], bool]:
    """Whether an event carries this word of the answer."""
    return lambda event: event.event == "thread.message.delta" and f":{word} " in event.data


async def read_stream(answer: httpx2.Response) -> AsyncIterator[Event]:
    """Yield the events of an answer as they come; what its end cuts off is none."""
    tail = b""
    async for chunk in answer.aiter_bytes():
        *frames, tail = (tail + chunk).split(b"\n\n")
        for frame in frames:
            for event in parse_events(frame + b"\n\n"):
                yield event
