"""Loops that must not end: what fails them is logged, and they begin again. Part of the floor."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

REST_SECONDS = 1.0  # before a loop that failed begins again

logger = logging.getLogger(__name__)


async def supervise(
    loop: Callable[[], Awaitable[None]], passing: tuple[type[Exception], ...] = ()
) -> None:
    """Run a loop until it returns, which most do not, or is cancelled.

    `passing` are errors that mend themselves: their tracebacks, again and again, would tell nobody
    anything.
    """
    while True:
        try:
            return await loop()
        except Exception as error:  # without this loop nothing would be stored or executed
            cause = None if isinstance(error, passing) else error
            logger.error(
                "a loop failed, starting it again: %s", type(error).__name__, exc_info=cause
            )
            await asyncio.sleep(REST_SECONDS)
