"""The mirroring of one process: its deliverers, and what may be told of all of them."""

import asyncio
from collections.abc import Callable, Sequence

from streamlit_assistant.history.addresses import open_log
from streamlit_assistant.mirror.copies import Opener
from streamlit_assistant.mirror.deliverer import Deliverer
from streamlit_assistant.mirror.figures import FigureReader
from streamlit_assistant.mirror.targets import Target
from streamlit_assistant.records import Clock
from streamlit_assistant.store import Store
from streamlit_assistant.store.signals import EVERYTHING, MESSAGES
from streamlit_assistant.supervision import supervise

KEEP_SECONDS = 60.0  # how often is looked whether targets are still wanted
LOOK_SECONDS = 1.0
LONGEST_PAUSE = 30.0


class Mirroring:
    """`start` before use, `stop` at the end. A process without targets has others forgotten."""

    def __init__(
        self,
        store: Store,
        targets: Sequence[Target],
        lease_owner: Callable[[], str],
        clock: Clock,
        *,
        works: bool = True,
        look: float = LOOK_SECONDS,
        longest_pause: float = LONGEST_PAUSE,
        opened: Opener = open_log,
        passing: tuple[type[Exception], ...] = (),
    ) -> None:
        """`works`: whether this process delivers, and says what is wanted; others only tell.

        `passing` are the errors of a database that is away; `opened` makes the log of a thread.
        """
        self.figures = FigureReader(store.mirrors, clock)
        self._store = store
        self._targets = targets if works else ()
        self._lease_owner = lease_owner
        self._works = works
        self._passing = passing
        self._deliverers = [
            Deliverer(
                target, store, lease_owner, look=look, longest_pause=longest_pause, opened=opened
            )
            for target in self._targets
        ]
        self._tasks: list[asyncio.Task[None]] = []
        store.mirrors.are_expected = bool(targets)
        store.signals.hear(self._hear)

    def start(self) -> None:
        """Begin to deliver."""
        loops = [self._keep] if self._works else []
        loops += [deliverer.run for deliverer in self._deliverers]
        self._tasks = [asyncio.create_task(supervise(loop, self._passing)) for loop in loops]

    async def stop(self) -> None:
        """Stop delivering; what is not delivered waits."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(deliverer.close() for deliverer in self._deliverers))

    async def _keep(self) -> None:
        kinds = {target.name: target.kind for target in self._targets}
        while True:
            # Again and again: who wants other targets may have been too quick to forget these.
            await self._store.mirrors.register(kinds)
            self._wake()
            await self._store.mirrors.drop(kinds, self._lease_owner())
            await asyncio.sleep(KEEP_SECONDS)

    def _hear(self, topic: str) -> None:
        if topic in (MESSAGES, EVERYTHING):
            self._wake()

    def _wake(self) -> None:
        for deliverer in self._deliverers:
            deliverer.wake()
