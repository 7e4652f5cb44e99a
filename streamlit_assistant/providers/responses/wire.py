"""Requests to a server of the Responses API, and the events in which it answers.

Whatever comes back is made events of: a server that does not stream sends the whole answer as one.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any
from urllib.parse import quote

import httpx2

from streamlit_assistant.event_frames import Frame, FrameDecoder
from streamlit_assistant.providers.responses.events import Reading
from streamlit_assistant.providers.responses.shapes import as_object, as_text
from streamlit_assistant.providers.upstream_failure import Explainer
from streamlit_assistant.records import JSON

AFTER_FINISH_SECONDS = 2.0  # for the end of the stream, so that its connection can be used again
CANCEL_SECONDS = 10.0
_DONE = "[DONE]"
_UNDER_WAY = {"queued", "in_progress"}
_STATUSES = _UNDER_WAY | {"completed", "incomplete", "failed", "cancelled"}


class Wire:
    """The connection to one server."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        explainer: Explainer,
        first_token_seconds: float,
        silence_seconds: float,
    ) -> None:
        """`client` knows the address and the key."""
        self._client = client
        self._explainer = explainer
        self._first_token_seconds = first_token_seconds
        self._silence_seconds = silence_seconds

    @asynccontextmanager
    async def asked(self, body: JSON) -> AsyncIterator[httpx2.Response]:
        """Ask for an answer and give the response, of which nothing is read yet."""
        request = self._client.build_request("POST", "responses", json=body)
        async with self._sent(request) as response:
            yield response

    @asynccontextmanager
    async def resumed(
        self, begun: str, after: int, include: list[str]
    ) -> AsyncIterator[httpx2.Response]:
        """Ask for the events of an answer after the one of a number."""
        params = _listed(include, ("stream", "true"), ("starting_after", str(after)))
        request = self._client.build_request("GET", _path(begun), params=params)
        async with self._sent(request) as response:
            yield response

    async def events(
        self, response: httpx2.Response, reading: Reading
    ) -> AsyncGenerator[JSON, None]:
        """Yield the events of a response; raise `UpstreamError` if it has none."""
        kind = response.headers.get("content-type", "")
        if response.is_success and kind.startswith("application/json"):
            yield await self._whole(response)
            return
        async with asyncio.timeout(self._silence_seconds):
            await self._explainer.refuse_unless_streaming(response)
        decoder = FrameDecoder()
        received = aiter(response.aiter_bytes())
        last = inf  # then nothing is waited for any more: some servers only keep the line open
        while time.monotonic() < last:
            if reading.finished:
                last = min(last, time.monotonic() + AFTER_FINISH_SECONDS)
            patience = min(self._patience(reading), last - time.monotonic())
            async with asyncio.timeout(patience):
                piece = await anext(received, None)
            if piece is None:
                return
            for frame in decoder.feed(piece):
                if isinstance(frame, Frame):
                    if frame.data == _DONE:
                        return
                    yield _event(frame)

    async def state(self, begun: str, include: list[str]) -> JSON:
        """Return an answer as it stands, as an event; raise `UpstreamError`."""
        params = _listed(include)
        async with asyncio.timeout(self._silence_seconds):
            response = await self._client.get(_path(begun), params=params)
            return _as_event(await self._explainer.read_json(response))

    async def cancel(self, begun: str) -> None:
        """End an answer with which the server goes on; raise `UpstreamError`."""
        async with asyncio.timeout(CANCEL_SECONDS):
            response = await self._client.post(f"{_path(begun)}/cancel")
            await self._explainer.read_json(response)

    @asynccontextmanager
    async def _sent(self, request: httpx2.Request) -> AsyncIterator[httpx2.Response]:
        async with asyncio.timeout(self._first_token_seconds):
            response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def _whole(self, response: httpx2.Response) -> JSON:
        async with asyncio.timeout(self._first_token_seconds):
            body = await self._explainer.read_json(response)
            if not _is_answer(body):
                await self._explainer.refuse_unless_streaming(response)
        return _as_event(body)

    def _patience(self, reading: Reading) -> float:
        if reading.finished:
            # The answer is whole: nothing that goes wrong from here on can harm it.
            return AFTER_FINISH_SECONDS
        return self._silence_seconds if reading.has_begun else self._first_token_seconds


def _path(begun: str) -> str:
    return f"responses/{quote(begun, safe='')}"


def _listed(include: list[str], *more: tuple[str, str]) -> httpx2.QueryParams:
    return httpx2.QueryParams([*more, *(("include[]", name) for name in include)])


def _event(frame: Frame) -> JSON:
    event = json.loads(frame.data)
    if not isinstance(event, dict):
        raise ValueError("an event that is not an object")
    if frame.event == "error":
        return {**event, "type": "error"}
    return event if "type" in event else {**event, "type": frame.event}


def _is_answer(body: Any) -> bool:
    told = as_object(body)
    return as_text(told.get("status")) in _STATUSES or isinstance(told.get("output"), list)


def _as_event(body: Any) -> JSON:
    if not _is_answer(body):
        raise ValueError("no answer")
    status = as_text(body.get("status")) or "completed"
    kind = "in_progress" if status in _UNDER_WAY else status
    return {"type": f"response.{kind}", "response": body}
