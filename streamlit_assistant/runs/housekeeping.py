"""Housekeeping of the runs: the overdue are ended, what nobody will ask for is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from streamlit_assistant.records import Clock
from streamlit_assistant.runs.execute_run import Stop
from streamlit_assistant.store import Store

KEPT_SECONDS = 24 * 3600
FORGET_SECONDS = 3600  # how often
EXPIRY_SECONDS = 1.0  # how often runs that nobody works on are looked at
# A temporary chat lives in its person's browser tab, which tells nobody when it is closed. So long
# may somebody think before the next question; after that the page makes another thread of what was
# said, and only what a model had beside it, such as its rooms for code, begins anew.
LEFT_SECONDS = 3600
LEAVING_SECONDS = 60  # how often left threads are looked for


def chores(
    store: Store, clock: Clock, end: Callable[[str, Stop], Awaitable[bool]]
) -> Sequence[Callable[[], Awaitable[None]]]:
    """Return the loops that keep house for as long as a process runs."""
    return (
        lambda: forget_old(store, clock),
        lambda: forget_left(store, clock),
        lambda: end_overdue(store, clock, end),
    )


async def forget_old(store: Store, clock: Clock) -> None:
    """Forget events of ended runs, keys of answered requests and answers kept, until cancelled."""
    while True:
        older_than = int(clock()) - KEPT_SECONDS
        await store.events.forget(older_than)
        await store.idempotency_keys.forget(older_than)
        await store.answer_cache.forget_expired()
        await asyncio.sleep(FORGET_SECONDS)


async def forget_left(store: Store, clock: Clock) -> None:
    """Forget the temporary threads that have been left, until cancelled."""
    while True:
        await store.threads.forget_left(int(clock()) - LEFT_SECONDS)
        await asyncio.sleep(LEAVING_SECONDS)


async def end_overdue(
    store: Store, clock: Clock, end: Callable[[str, Stop], Awaitable[bool]]
) -> None:
    """End the runs whose time is over while nobody works on them, until cancelled."""
    while True:
        for run_id in await store.queue.overdue(int(clock())):
            await end(run_id, Stop.EXPIRE)
        await asyncio.sleep(EXPIRY_SECONDS)
