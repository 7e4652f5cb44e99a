"""Work that a cancellation may follow but not cut in two.

A transaction may have been committed although its waiter was cancelled; what this process
remembers must not differ from what the database holds.
"""

import asyncio
from collections.abc import Coroutine


async def untorn(work: Coroutine[None, None, None]) -> None:
    """Await work to its end; a cancellation that came meanwhile is raised then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error  # and perhaps again: a cancel and an expiry may come together
    task.result()
    if cancelled is not None:
        raise cancelled
