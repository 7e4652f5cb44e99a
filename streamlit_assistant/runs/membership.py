"""This process among the others on the same database: who lives, and who has to be buried.

A process has a name, and a row under that name whose lease it renews. If it comes too late, because
it was stopped or the machine slept, others have buried it and taken its runs: then it gives up all
that it was doing and begins again under another name.
"""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from streamlit_assistant.process_identity import this_process
from streamlit_assistant.records import new_id
from streamlit_assistant.runs.pace import Pace
from streamlit_assistant.store import Store
from streamlit_assistant.store.executors import Executor
from streamlit_assistant.store.signals import EVERYTHING, PROCESSES, WORK
from streamlit_assistant.waiting import came_within

WORKING_ROLES = ("all", "worker")
LAST_WORDS_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Membership:
    """`join` before use, then run `beat` supervised; `leave` at the end."""

    def __init__(self, store: Store, role: str, pace: Pace) -> None:
        self._role = role
        # Called when others have taken what this process was working on.
        self.on_lost: Callable[[], None] = lambda: None
        # Called when there may be runs to take over.
        self.on_burial: Callable[[], None] = lambda: None
        self._store = store
        self._pace = pace
        self._name = ""
        self._leaves = False
        self._last_beat = (-1.0, 0.0)  # by the loop's clock, and by that of the leases
        self._others: list[Executor] = []
        self._news = asyncio.Event()
        store.signals.hear(self._hear)

    @property
    def name(self) -> str:
        """Under which this process takes runs; another one after it was buried."""
        return self._name

    def current_name(self) -> str:
        """Return the name as it is when asked for."""
        return self._name

    @property
    def works(self) -> bool:
        """Whether this process executes runs."""
        return self._role in WORKING_ROLES

    @property
    def living(self) -> int:
        """How many processes there are, this one included."""
        return 1 + len(self._others)

    @property
    def patience(self) -> float:
        """How many seconds may pass until one looks what signals should have told."""
        return self._pace.look if self._others else self._pace.heartbeat

    @property
    def working(self) -> int:
        """How many of them execute runs."""
        roles = [self._role, *(other.role for other in self._others)]
        return sum(role in WORKING_ROLES for role in roles)

    async def join(self) -> None:
        """Register, and see who else is there."""
        await self._register()
        await self._look_around()

    async def leave(self) -> None:
        """Remove this process, so that nobody has to wait for its lease or what it hands back."""
        self._leaves = True
        try:
            await self._store.executors.bury([self._name])
        except SQLAlchemyError as error:
            logger.warning("leaving without a word, the database is away: %s", type(error).__name__)
        self._store.signals.send(PROCESSES, WORK)
        await self._store.signals.told(LAST_WORDS_SECONDS)

    async def beat(self) -> None:
        """Renew the lease and look after the others, until cancelled."""
        while True:
            self._news.clear()
            if self._leaves:
                return
            if not await self._store.executors.renew(self._name, self._pace.lease):
                if self._leaves:
                    return  # by itself
                logger.warning("this process was taken for dead, its runs are others' now")
                await self._register()
                self.on_lost()
            await self._look_around()
            await came_within(self._pace.heartbeat, self._news)

    async def _register(self) -> None:
        self._name = new_id("executor")
        await self._store.executors.register(
            self._name, self._role, this_process(), self._pace.lease
        )
        self._store.signals.send(PROCESSES)

    async def _look_around(self) -> None:
        everybody = await self._store.executors.all()
        others = [o for o in everybody if o.name != self._name]
        gone = [other.name for other in others if other.identity.is_known_gone()]
        late = [other.name for other in others if other.is_late]
        # After the database was away, or the machine slept, all leases are over: the others must
        # have time to renew them.
        may_judge = self._was_regular(sum(o.lease_until for o in everybody if o.name == self._name))
        if gone or (late and may_judge):
            await self._store.executors.bury(gone, late if may_judge else [])
            logger.warning("processes have gone: %s", ", ".join({*gone, *late}))
            others = [o for o in await self._store.executors.all() if o.name != self._name]
            self.on_burial()
        self._others = others
        self._store.signals.neighbours = len(others)

    def _was_regular(self, lease_until: float) -> bool:
        """Whether both clocks went on as they should; `lease_until` is our own lease's end."""
        now = (asyncio.get_running_loop().time(), lease_until)
        last, self._last_beat = self._last_beat, now
        longest = 2 * self._pace.heartbeat
        return last[0] >= 0 and all(b - a < longest for a, b in zip(last, now, strict=True))

    def _hear(self, topic: str) -> None:
        if topic == PROCESSES:
            self._news.set()
        elif topic == EVERYTHING and not self._others:
            self._news.set()  # on SQLite: somebody else has written
