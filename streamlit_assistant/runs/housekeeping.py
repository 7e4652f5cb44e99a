"""Housekeeping of the runs: the overdue are ended, what nobody will ask for is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable

from streamlit_assistant.records import Clock
from streamlit_assistant.runs.execute_run import Stop
from streamlit_assistant.store import Store

KEPT_SECONDS = 24 * 3600
FORGET_SECONDS = 3600  # how often
EXPIRY_SECONDS = 1.0  # how often runs that nobody works on are looked at


async def forget_old(store: Store, clock: Clock) -> None:
    """Forget events of ended runs, keys of answered requests and answers kept, until cancelled."""
    while True:
        older_than = int(clock()) - KEPT_SECONDS
        await store.events.forget(older_than)
        await store.idempotency_keys.forget(older_than)
        await store.answer_cache.forget_expired()
        await asyncio.sleep(FORGET_SECONDS)


async def end_overdue(
    store: Store, clock: Clock, end: Callable[[str, Stop], Awaitable[bool]]
) -> None:
    """End the runs whose time is over while nobody works on them, until cancelled."""
    while True:
        for run_id in await store.queue.overdue(int(clock())):
            await end(run_id, Stop.EXPIRE)
        await asyncio.sleep(EXPIRY_SECONDS)
