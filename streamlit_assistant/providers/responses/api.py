"""The Responses API adapter: OpenAI, Azure, and whoever else answers `/responses`.

It reads the stream itself. The official client takes an unknown event for another one, and an end
without a reason for an answer that is over.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.hosted_tools import without_secrets
from streamlit_assistant.providers.base import Delta, ModelRequest
from streamlit_assistant.providers.responses.endings import Ending
from streamlit_assistant.providers.responses.events import Reading
from streamlit_assistant.providers.responses.files import UpstreamFiles
from streamlit_assistant.providers.responses.following import POLL_SECONDS, Following
from streamlit_assistant.providers.responses.request import (
    body_of,
    goes_on,
    included,
    most_tokens,
)
from streamlit_assistant.providers.responses.wire import Wire
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import JSON

logger = logging.getLogger(__name__)

# A model that is loaded from disk for the first answer may need minutes for its first token.
FIRST_TOKEN_SECONDS = 300.0
SILENCE_SECONDS = 120.0


class ResponsesProvider:
    """Streams answers from `POST {base_url}/responses`."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        explainer: Explainer,
        *,
        server: str,
        hosts_tools: bool = False,
        background: bool = False,
        first_token_seconds: float = FIRST_TOKEN_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`client` knows the address and the key; `server` is the name of who is there.

        `hosts_tools`: it executes tools itself, and knows all that OpenAI's own does.
        `background`: it goes on with an answer when nobody reads it, and keeps it for a while.
        """
        self._client = client
        self._explainer = explainer
        self._silence_seconds = silence_seconds
        self._server = server
        self._hosts_tools = hosts_tools
        self._background = background
        self._wire = Wire(client, explainer, first_token_seconds, silence_seconds)
        self._following = Following(self._wire, explainer, poll_seconds)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer; see `Provider`."""
        background = goes_on(request, self._background)
        reading = self._reading(request, background)
        try:
            async with aclosing(self._events(request, background, reading)) as events:
                async for event in events:
                    for delta in reading.deltas(event):
                        yield delta
        except FAILURES as error:
            if not reading.finished:
                raise self._explainer.failure(error) from error
        except UpstreamError as error:
            # Some servers say word for word what it is that they refuse.
            error.message = without_secrets(error.message, request.hosted_tools)
            error.args = (error.message,)
            raise

    async def cancel(self, begun: str) -> None:
        """End an answer that has `Begun`; see `Provider`."""
        try:
            await self._wire.cancel(begun)
        except (UpstreamError, *FAILURES) as error:
            # It is over by itself, or will be.
            logger.info("an answer was not cancelled at its server: %s", type(error).__name__)

    async def _events(
        self, request: ModelRequest, background: bool, reading: Reading
    ) -> AsyncGenerator[JSON, None]:
        if request.resume is None:
            async with aclosing(self._asked(request, background, reading)) as events:
                async for event in events:
                    yield event
        if reading.goes_on and not reading.finished:
            include = included(request, hosts_tools=self._hosts_tools, stored=True)
            async with aclosing(self._following.events(reading.id, reading, include)) as events:
                async for event in events:
                    yield event

    async def _asked(
        self, request: ModelRequest, background: bool, reading: Reading
    ) -> AsyncGenerator[JSON, None]:
        body = body_of(request, self._server, hosts_tools=self._hosts_tools, background=background)
        try:
            async with (
                self._wire.asked(body) as response,
                aclosing(self._wire.events(response, reading)) as events,
            ):
                async for event in events:
                    yield event
        except FAILURES as error:
            if not reading.goes_on:
                raise
            logger.info("a connection broke; its answer goes on: %s", type(error).__name__)

    def _reading(self, request: ModelRequest, background: bool) -> Reading:
        most = most_tokens(request, hosts_tools=self._hosts_tools)
        ending = Ending(
            self._explainer,
            self._server,
            limit=None if self._hosts_tools else most,
            is_stored=background or request.resume is not None,
        )
        files = UpstreamFiles(self._client, self._explainer, self._silence_seconds)
        return Reading(files, ending, announces=background, resumed=request.resume)
