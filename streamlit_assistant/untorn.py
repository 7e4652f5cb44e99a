"""Work that a cancellation may follow but not cut in two.

A thread goes on, and a transaction may have been committed, although its waiter was cancelled; what
this process does next must not differ from what the disk or the database holds.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def untorn(work: Coroutine[Any, Any, T]) -> T:
    """Await work to its end; a cancellation that came meanwhile is raised then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            # And perhaps again: a cancel and an expiry may come together, and Starlette cancels
            # for as long as a client that has hung up is still being served.
            cancelled = error
    done = task.result()
    if cancelled is not None:
        raise cancelled
    return done


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run blocking work in a thread; a cancellation waits until the thread is done with it."""
    return await untorn(asyncio.to_thread(work, *args, **options))
