"""Live events of runs: whoever executes publishes, any number of followers read.

A run that this process executes has a channel in memory, so that no database lies between the
model's token and a follower's screen. One that another process executes, or that waits, is watched
in the database. A run may move between the two while it is followed.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager

from streamlit_assistant import responses
from streamlit_assistant.errors import NotFound
from streamlit_assistant.json_text import to_json
from streamlit_assistant.records import Run, RunEvent
from streamlit_assistant.runs.channel import PAUSES, Channel
from streamlit_assistant.runs.pace import Pace
from streamlit_assistant.runs.watch import Watch
from streamlit_assistant.store import Store
from streamlit_assistant.store.signals import EVERYTHING, run_of


class EventHub:
    """The runs that are executed or followed in this process."""

    def __init__(self, store: Store, pace: Pace | None = None) -> None:
        self._store = store
        self._pace = pace or Pace()
        self._channels: dict[str, Channel] = {}  # of the runs executed here
        self._watches: dict[str, Watch] = {}  # of those executed elsewhere, and followed here
        self._over = False
        self.followers = 0
        store.signals.hear(self._hear)

    def adopt(self, run_id: str, channel: Channel) -> None:
        """Serve a run's followers from a channel made for it."""
        replaced = self._channels.get(run_id)
        self._channels[run_id] = channel
        if replaced is not None:
            replaced.close()  # of an earlier attempt here, which ends too late to do so itself
        watch = self._watches.pop(run_id, None)
        if watch is not None:
            watch.stop()  # its followers come over
        if self._over:
            self.close(run_id)

    def close(self, run_id: str) -> None:
        """Give up a run's channel, because it paused or is no longer executed here."""
        channel = self._channels.pop(run_id, None)
        if channel is not None:
            channel.close()

    def close_all(self) -> None:
        """End every follower, now and from now on, because the process ends."""
        self._over = True
        for run_id in list(self._channels):
            self.close(run_id)
        for watch in self._watches.values():
            watch.stop()

    def poke(self, run_id: str) -> None:
        """Have followers look whether there is news of a run."""
        watch = self._watches.get(run_id)
        if watch is not None:
            watch.poke()

    async def until_paused(self, run: Run, seconds: float) -> None:
        """Wait until the run ends or pauses, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                async for _ in self.follow(run, run.last_event, seconds):
                    pass
        except TimeoutError:
            pass

    async def follow(
        self, run: Run, after: int, heartbeat: float
    ) -> AsyncGenerator[Sequence[RunEvent], None]:
        """Yield the run's events after a number, none twice, none left out, until it pauses.

        `after` may be any number ever seen; an empty batch is `heartbeat` seconds of silence.
        """
        current: Run | None = run
        while current is not None:
            with self._source(current, after) as channel:
                if channel is None or after < channel.start:
                    stored = await self._stored(current, after)
                    if stored:
                        yield stored
                        after = stored[-1].seq
                if channel is None:
                    return
                async for batch in channel.follow(after, heartbeat):
                    yield batch
                    after = batch[-1].seq if batch else after
                if channel.is_over:
                    return
            # It goes on elsewhere, or it ended without a word: the database knows.
            current = await self._again(run)

    @contextmanager
    def _source(self, run: Run, after: int) -> Iterator[Channel | None]:
        """Give the channel to follow; None where only the database is left to be read."""
        channel = self._channels.get(run.id)
        watch = None
        if channel is None and run.status not in PAUSES and not self._over:
            watch = self._watches.get(run.id)
            if watch is None or watch.channel.closed:
                watch = self._watches[run.id] = Watch(self._store, run, after, self._pace)
            watch.followers += 1
            channel = watch.channel
        self.followers += 1
        try:
            yield channel
        finally:
            self.followers -= 1
            if watch is not None:
                self._unfollow(run.id, watch)

    def _unfollow(self, run_id: str, watch: Watch) -> None:
        watch.followers -= 1
        if watch.followers == 0:
            watch.stop()
            if self._watches.get(run_id) is watch:
                del self._watches[run_id]

    async def _again(self, run: Run) -> Run | None:
        if self._over:
            return None
        try:
            return await self._store.runs.get(run.thread_id, run.id)
        except NotFound:
            return None  # deleted with its thread

    async def _stored(self, run: Run, after: int) -> Sequence[RunEvent]:
        events = await self._store.events.after(run.id, after)
        if events or run.status not in PAUSES or after == run.last_event:
            return events
        # The events of a run that ended long ago are gone; its outcome is not. Nor is it for a
        # follower that saw more than the process could store before it was killed.
        return [RunEvent(run.last_event, f"thread.run.{run.status}", to_json(responses.run(run)))]

    def _hear(self, topic: str) -> None:
        run_id = run_of(topic)
        if run_id is not None:
            self.poke(run_id)
        elif topic == EVERYTHING:
            for watch in self._watches.values():
                watch.poke()
