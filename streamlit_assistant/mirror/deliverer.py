"""The deliverer of one target: of all processes, one at a time takes the copies there.

It holds a lease under its process's name; while the store is away others may take it, for they
may reach the store. So two may work at once, also when one was thought dead: both bring the same
entries in the same order, and a log takes each of them once.
"""

import asyncio
import logging
from collections.abc import Callable

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential, wait_random

from streamlit_assistant.history.addresses import open_log
from streamlit_assistant.history.history_errors import HistoryUnavailable
from streamlit_assistant.mirror.batches import OldThreadReader, OldThreads, batch_for, next_changes
from streamlit_assistant.mirror.copies import Copies, Delivery, Opener
from streamlit_assistant.mirror.targets import Target
from streamlit_assistant.mirror.worker_thread import WorkerThread
from streamlit_assistant.store import Store
from streamlit_assistant.store.mirrors import Mirror
from streamlit_assistant.waiting import came_within

GATHER_SECONDS = 0.05  # after a delivery: on a busy site one takes what many people have said
FIRST_PAUSE = 0.5  # seconds after a store was found to be away; each time twice as long
JITTER = 0.5
LAST_WORDS_SECONDS = 1.0  # within which a store is told good-bye

logger = logging.getLogger(__name__)


class Deliverer:
    """`run` it supervised, `wake` it when there is something to deliver, `close` it at the end."""

    def __init__(
        self,
        target: Target,
        store: Store,
        lease_owner: Callable[[], str],
        *,
        look: float,
        longest_pause: float,
        opened: Opener = open_log,
    ) -> None:
        """`look`: how often it looks by itself; `longest_pause`: between tries at a store.

        `opened` makes the log of a thread.
        """
        self._target = target
        self._store = store
        self._lease_owner = lease_owner
        self._look = look
        self._pause = wait_exponential(FIRST_PAUSE, max=longest_pause) + wait_random(0, JITTER)
        self._news = asyncio.Event()
        self._copies = Copies(target.url, opened)
        self._old = OldThreadReader(store)
        self._thread = WorkerThread(f"mirror-{target.kind}")

    def wake(self) -> None:
        """Have it look at once."""
        self._news.set()

    async def run(self) -> None:
        """Deliver what there is as it comes, until cancelled."""
        while True:
            self._news.clear()
            while await self._patiently():
                pass
            await asyncio.sleep(GATHER_SECONDS)
            await came_within(self._look, self._news)

    async def close(self) -> None:
        """Close the connections; a store that does not answer is not waited for."""
        closed = asyncio.ensure_future(self._thread.do(self._copies.close))
        await asyncio.wait([closed], timeout=LAST_WORDS_SECONDS)
        closed.cancel()
        self._thread.end()

    async def _patiently(self) -> bool:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(HistoryUnavailable), wait=self._pause, reraise=True
        ):
            with attempt:
                return await self._deliver_some()
        raise AssertionError("it was tried until it succeeded")

    async def _deliver_some(self) -> bool:
        """Deliver a batch; return whether more waits for sure. Raises `HistoryUnavailable`."""
        mirror = await self._store.mirrors.hold(self._target.name, self._lease_owner())
        if mirror is None:
            return False
        if mirror.is_copying:
            old = await self._old.next(mirror)
            delivery = await self._thread.do(lambda: self._copies.deliver(old.threads))
            await self._settle_old(mirror, old, delivery)
            return True
        changes = await next_changes(self._store, mirror)
        if not changes:
            return False
        delivery = await self._thread.do(lambda: self._copies.deliver(changes))
        await self._settle(mirror, delivery)
        return len(delivery.numbers) == batch_for(mirror)

    async def _settle_old(self, mirror: Mirror, old: OldThreads, delivery: Delivery) -> None:
        if delivery.error is None:
            await self._store.mirror_outbox.copied(
                mirror.target, old.until, delivery.copied, len(delivery.refused)
            )
            self._old.go_on_behind(old)
        await self._tell(mirror, delivery)

    async def _settle(self, mirror: Mirror, delivery: Delivery) -> None:
        if delivery.done:
            await self._store.mirror_outbox.delivered(
                mirror.target, delivery.numbers, delivery.copied, len(delivery.refused)
            )
        await self._tell(mirror, delivery)

    async def _tell(self, mirror: Mirror, delivery: Delivery) -> None:
        for thread_id, message_id in delivery.refused:
            logger.warning(
                "a copy for %s is refused and left out: %s", mirror.kind, message_id or thread_id
            )
        if delivery.error is None:
            if mirror.away_since is not None:
                logger.info("the copies for %s are taken again", mirror.kind)
            return
        await self._store.mirrors.note_away(mirror.target, self._lease_owner(), delivery.error)
        if mirror.away_since is None or delivery.done:
            logger.warning(
                "the copies for %s wait, it does not take them: %s", mirror.kind, delivery.error
            )
        raise HistoryUnavailable(delivery.error)
