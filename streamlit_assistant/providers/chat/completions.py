"""The Chat Completions adapter: any OpenAI-compatible model server.

It reads the stream itself. The official client hides what must be noticed here: a body that is no
stream, and an end without a reason, both look to its users like an answer that is over.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import inf

import httpx2

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.base import Delta, ModelRequest
from streamlit_assistant.providers.chat.chunks import Reading
from streamlit_assistant.providers.chat.dialects import (
    LLAMA_CPP_PYTHON,
    UNKNOWN,
    Dialect,
    InlineThinking,
    dialect_heard,
    dialect_of,
)
from streamlit_assistant.providers.chat.request import request_body, suspect
from streamlit_assistant.providers.chat.stream import JSON_BODY, ChunkReader
from streamlit_assistant.providers.chat.thinking import Thinking, leaves_tag_out
from streamlit_assistant.providers.chat.tools import forced_function
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import JSON

SILENCE_SECONDS = 120.0
AFTER_FINISH_SECONDS = 2.0  # for the usage that may follow the end, all in all


class ChatCompletionsProvider:
    """Streams answers from `POST {base_url}/chat/completions`.

    `dialect` is how its server speaks, and may be set as soon as more is known of that.
    """

    def __init__(
        self,
        client: httpx2.AsyncClient,
        explainer: Explainer,
        *,
        dialect: Dialect | None = None,
        server: str | None = None,
        first_token_seconds: float | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`client` knows the address and the key. `dialect` None: what the address tells.

        `server`: its name in `Remember`, the address unless one is given.
        """
        address = str(client.base_url.copy_with(username=None, password=None)).rstrip("/")
        self.dialect = dialect or dialect_of(address)
        self._client = client
        self._explainer = explainer
        self._server = address if server is None else server
        self._first_token_seconds = first_token_seconds
        self._silence_seconds = silence_seconds
        self._leaves_tag_out: dict[str, bool] = {}  # by model; see `Thinking`

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer; see `Provider`."""
        body = request_body(request, self.dialect, self._server)
        thinking = self._thinking(request.model)
        reading = Reading(thinking, forced=forced_function(request), server=self._server)
        try:
            async with aclosing(self._answer(body, reading)) as answer:
                async for delta in answer:
                    yield delta
        except (UpstreamError, *FAILURES) as error:
            # Once the answer is whole nothing that goes wrong can harm it.
            if not reading.finished:
                for delta in reading.rest():
                    yield delta
                if isinstance(error, UpstreamError):
                    raise
                raise self._explainer.failure(error) from error
        finally:
            self._learn(request.model, thinking, reading)

    async def cancel(self, begun: str) -> None:
        """Do nothing: no answer goes on without whoever reads it."""

    async def _answer(self, body: JSON, reading: Reading) -> AsyncGenerator[Delta, None]:
        post = self._client.build_request("POST", "chat/completions", json=body)
        async with asyncio.timeout(self._patience(reading)):
            response = await self._client.send(post, stream=True)
        try:
            kind = response.headers.get("content-type", "").split(";")[0].strip()
            if not response.is_success or kind != JSON_BODY:
                await self._refuse(response, body)
            chunks = ChunkReader(self._explainer, kind)
            async with aclosing(self._chunks(response, chunks, reading)) as received:
                async for chunk in received:
                    for delta in reading.deltas(chunk):
                        yield delta
            self._refuse_silence(chunks, body)
            for delta in [*(reading.done() if chunks.is_done else ()), *reading.rest()]:
                yield delta
        finally:
            await response.aclose()

    async def _refuse(self, response: httpx2.Response, body: JSON) -> None:
        """Raise `UpstreamError` unless the answer can be read."""
        try:
            await self._explainer.refuse_unless_streaming(response)
        except UpstreamError as error:
            parameter = suspect(body)
            # llama-cpp-python takes what it does not know in a request for a failure of its own.
            if response.status_code == 500 and parameter and parameter in error.message:
                error.trouble, error.parameter = Trouble.PARAMETER, parameter
            raise

    async def _chunks(
        self, response: httpx2.Response, chunks: ChunkReader, reading: Reading
    ) -> AsyncGenerator[JSON, None]:
        received = aiter(response.aiter_bytes())
        last = inf  # then nothing is waited for any more: some servers only keep the line open
        while not chunks.is_done and time.monotonic() < last:
            if reading.finished:
                last = min(last, time.monotonic() + AFTER_FINISH_SECONDS)
            patience = min(self._patience(reading), last - time.monotonic())
            async with asyncio.timeout(patience):
                piece = await anext(received, None)
            if piece is None:
                break
            for chunk in chunks.feed(piece):
                yield chunk
        for chunk in chunks.end():
            yield chunk

    def _refuse_silence(self, chunks: ChunkReader, body: JSON) -> None:
        """Raise `UpstreamError` if the server said nothing because of what it was asked."""
        # Of any other server silence is a mishap, and says nothing of the request.
        if chunks.count or self.dialect not in (UNKNOWN, LLAMA_CPP_PYTHON):
            return
        if parameter := suspect(body):
            raise UpstreamError(
                f"The model server answered with nothing: it may not know this '{parameter}'.",
                trouble=Trouble.PARAMETER,
                parameter=parameter,
            )

    def _patience(self, reading: Reading) -> float:
        """Return how many seconds the next bytes may take."""
        if reading.finished:
            return AFTER_FINISH_SECONDS
        if reading.begun:
            return self._silence_seconds
        if self._first_token_seconds is not None:
            return self._first_token_seconds
        return self.dialect.first_token_seconds

    def _thinking(self, model: str) -> Thinking | None:
        if self.dialect.inline_thinking is InlineThinking.NEVER:
            return None
        by_name = self.dialect.inline_thinking is InlineThinking.UNOPENED and leaves_tag_out(model)
        return Thinking(opened=self._leaves_tag_out.get(model, by_name))

    def _learn(self, model: str, thinking: Thinking | None, reading: Reading) -> None:
        if thinking is not None and thinking.left_tag_out is not None:
            self._leaves_tag_out[model] = thinking.left_tag_out
        if self.dialect is UNKNOWN:
            # The address did not tell; how the server signs its answers may.
            self.dialect = dialect_heard(reading.fingerprint) or UNKNOWN
