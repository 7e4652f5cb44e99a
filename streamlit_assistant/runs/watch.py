"""A watch: reads what another process writes about a run, for followers in this one.

All followers of a run share one. It looks when it is poked, which happens when a signal says that
there is news, and now and then all the same.
"""

import asyncio

from streamlit_assistant.errors import NotFound
from streamlit_assistant.records import Run
from streamlit_assistant.runs.channel import PAUSES, Channel
from streamlit_assistant.runs.pace import Pace
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.store import Store
from streamlit_assistant.supervision import supervise
from streamlit_assistant.waiting import came_within


class Watch:
    """Feeds a channel from the database until the run pauses, or nobody follows any more."""

    def __init__(self, store: Store, run: Run, after: int, pace: Pace) -> None:
        self.channel = Channel(after)
        self.followers = 0
        self._store = store
        self._run = run
        self._pace = pace
        self._poked = asyncio.Event()
        self._task = asyncio.create_task(supervise(self._read, PASSING), name=f"watch {run.id}")

    def poke(self) -> None:
        """Look at once."""
        self._poked.set()

    def stop(self) -> None:
        """End; followers read what is there and look for another source."""
        self._task.cancel()
        self.channel.close(moved=True)

    async def _read(self) -> None:
        is_over, asked_at = False, self._now()
        while True:
            self._poked.clear()
            await self._take_news()
            if is_over:
                self.channel.close()
                return
            was_poked = self.channel.is_complete or await came_within(self._pace.look, self._poked)
            is_due = not was_poked or self._now() - asked_at >= self._pace.look
            if self.channel.is_complete or is_due:
                # No event tells of a run that was deleted. Asked before its last ones are read.
                is_over, asked_at = await self._is_over(), self._now()
                if self.channel.is_complete and not is_over:
                    await came_within(self._pace.look, self._poked)  # it has just been resumed

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _take_news(self) -> None:
        self.channel.add(await self._store.events.after(self._run.id, self.channel.last_seq))

    async def _is_over(self) -> bool:
        try:
            run = await self._store.runs.get(self._run.thread_id, self._run.id)
        except NotFound:
            return True
        return run.status in PAUSES
