"""Following an answer with which the model server goes on, whatever becomes of the connection."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.responses.events import Reading
from streamlit_assistant.providers.responses.wire import Wire
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import JSON

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # before an answer is looked at again; the pauses grow
LONGEST_POLL_SECONDS = 10.0
POLL_GROWTH = 1.5
MOST_FRUITLESS = 3  # connections in a row that brought nothing
MOST_FAILURES = 5  # looks in a row that failed
_LOST = {401, 403, 404}


class Following:
    """Reads on where a connection has broken; where the server does not let it, it looks again."""

    def __init__(self, wire: Wire, explainer: Explainer, poll_seconds: float) -> None:
        """`poll_seconds`: the first pause between two looks."""
        self._wire = wire
        self._explainer = explainer
        self._poll_seconds = poll_seconds

    async def events(
        self, begun: str, reading: Reading, include: list[str]
    ) -> AsyncGenerator[JSON, None]:
        """Yield the events that are still to come; raise `UpstreamError` if there are none."""
        async with aclosing(self._streamed(begun, reading, include)) as events:
            async for event in events:
                yield event
        pause, failures = self._poll_seconds, 0
        while not reading.finished:
            try:
                yield await self._wire.state(begun, include)
                failures = 0
            except (UpstreamError, *FAILURES) as error:
                failures += 1
                if failures > MOST_FAILURES or not _passes(error):
                    raise
            if not reading.finished:
                await asyncio.sleep(pause)
                pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)

    async def _streamed(
        self, begun: str, reading: Reading, include: list[str]
    ) -> AsyncGenerator[JSON, None]:
        fruitless = 0
        # Without numbers nobody could tell what has come already.
        while fruitless < MOST_FRUITLESS and _can_be_numbered(reading):
            last = reading.numbering.last
            try:
                async with self._wire.resumed(begun, last or 0, include) as response:
                    if await self._is_refused(response):
                        return
                    async with aclosing(self._unseen(response, reading)) as events:
                        async for event in events:
                            yield event
            except FAILURES as error:
                logger.info("an answer is taken up again: %s", type(error).__name__)
            if reading.finished:
                return
            fruitless = fruitless + 1 if reading.numbering.last == last else 0
            await asyncio.sleep(self._poll_seconds)

    async def _unseen(
        self, response: httpx2.Response, reading: Reading
    ) -> AsyncGenerator[JSON, None]:
        try:
            async with aclosing(self._wire.events(response, reading)) as events:
                async for event in events:
                    if not reading.numbering.has_seen(event):
                        yield event
        except UpstreamError as error:
            # Something between us and the server says so, and nothing of the answer itself.
            logger.info("an answer's events are not to be had: %s", error.message)

    async def _is_refused(self, response: httpx2.Response) -> bool:
        """Return whether the events are not to be had; raise if the answer is not either."""
        if response.status_code in _LOST:
            await self._explainer.refuse_unless_streaming(response)
        return not response.is_success


def _can_be_numbered(reading: Reading) -> bool:
    return reading.numbering.last is not None or not reading.has_begun


def _passes(error: Exception) -> bool:
    return not isinstance(error, UpstreamError) or error.trouble is Trouble.PASSING
