"""Patience with a database that is busy, restarts, or cannot be reached for a while."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_never,
    wait_exponential,
)

# What a database in trouble raises; anything else would fail again.
PASSING = (OperationalError, InterfaceError, PoolTimeout)
LONGEST_PAUSE = 3.0  # seconds between two attempts

T = TypeVar("T")

logger = logging.getLogger(__name__)


def attempts() -> AsyncRetrying:
    """Return attempts at using the database, however long it is away."""
    return AsyncRetrying(
        retry=retry_if_exception_type(PASSING),
        stop=stop_never,
        wait=wait_exponential(multiplier=0.1, max=LONGEST_PAUSE),
        before_sleep=_log_retry,
        reraise=True,
    )


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """Return what reading gives, however long the database is away; the run's time limits it."""
    async for attempt in attempts():
        with attempt:
            return await read()
    raise AssertionError("it was read, or it failed for good")


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    # No traceback: the database is away, and every run says so.
    logger.warning("the database cannot be used, trying again: %s", type(error).__name__)
