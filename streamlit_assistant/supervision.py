"""Loops that must not end: what fails them is logged, and they begin again. Part of the floor."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

REST_SECONDS = 1.0  # before a loop that failed begins again

logger = logging.getLogger(__name__)


async def supervise(loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop until it returns, which most do not, or is cancelled."""
    while True:
        try:
            return await loop()
        except Exception:  # without this loop nothing would be stored, executed or indexed
            logger.exception("a loop failed, starting it again")
            await asyncio.sleep(REST_SECONDS)
