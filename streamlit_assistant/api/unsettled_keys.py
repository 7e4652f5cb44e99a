"""Keys that could not be settled because the database was away: done as soon as it is back.

Until then other processes would take their requests for being carried out.
"""

import asyncio

from sqlalchemy.exc import SQLAlchemyError
from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from streamlit_assistant.store.idempotency_keys import IdempotencyKeys, KeyedRequest

LONGEST_PAUSE = 5.0  # seconds


class UnsettledKeys:
    """Frees keys in the background."""

    def __init__(self, keys: IdempotencyKeys) -> None:
        self._keys = keys
        self._tasks: set[asyncio.Task[None]] = set()

    def free(self, request: KeyedRequest, refused: bool) -> None:
        """Free the key of a request whose answer is known or never will be."""
        task = asyncio.create_task(self._free(request, refused), name=f"free {request.claim}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _free(self, request: KeyedRequest, refused: bool) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(SQLAlchemyError),
            wait=wait_exponential_jitter(multiplier=0.1, max=LONGEST_PAUSE),
        ):
            with attempt:
                await self._keys.release(request, refused=refused)
