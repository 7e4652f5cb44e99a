"""Answers that a model server keeps: those it goes on writing though nobody reads them.

`GET /v1/responses/{id}` gives one as it is, or with `stream=true&starting_after=N` from an event on
to its end; `POST /v1/responses/{id}/cancel` ends it.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.upstream_replies import (
    GATE_POLL,
    Received,
    begin_stream,
    frames_of,
    left_early,
    play,
)
from tests.upstream_responses import ResponsesWire
from tests.upstream_scripts import Answer
from tests.upstream_wire import JSON, error_body

TOO_OLD = "This response can no longer be streamed because it is more than 5 minutes old."


class Kept:
    """One answer, written by a task of its own if it is in the background."""

    def __init__(self, answer: Answer, wire: ResponsesWire, received: Received) -> None:
        self.answer = answer
        self.wire = wire
        self.received = received
        self.events: list[bytes] = []
        self.over = False
        self._task: asyncio.Task[None] | None = None

    @property
    def in_background(self) -> bool:
        """Whether it goes on without a reader."""
        return bool(self.received.body.get("background"))

    def begin(self) -> None:
        """Write it without a reader."""
        self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            async for frames in frames_of(self.answer, self.wire, self.received):
                self.events += [event + b"\n\n" for event in frames.split(b"\n\n") if event]
        finally:
            self.over = True

    async def read(self, start: int = 0) -> AsyncIterator[bytes]:
        """Yield its events from one on, those to come as well."""
        while True:
            while start < len(self.events):
                yield self.events[start]
                start += 1
            if self.over:
                return
            await asyncio.sleep(GATE_POLL)

    async def cancel(self) -> JSON:
        """End it; return what there is of it."""
        if self._task is not None and not self.over:
            self._task.cancel()
            await asyncio.wait({self._task})
            return self.wire.cancel()
        return self.wire.response()


class Followed(Response):
    """The stream of a kept answer, from one event on."""

    def __init__(self, kept: Kept, start: int, *, first: bool) -> None:
        """`first`: the reader asked for the answer itself, and its connection breaks if told to."""
        self._kept = kept
        self._start = start
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        frames, received = self._kept.read(self._start), self._kept.received
        if await left_early(self._send(frames, scope, send), receive) and self._first:
            received.hung_up.set()
        if self._first:
            received.answered.set()

    async def _send(self, frames: AsyncIterator[bytes], scope: Scope, send: Send) -> None:
        kept = self._kept
        if self._first:
            await play(kept.answer, frames, kept.received, scope, send)
            return
        await begin_stream(send, {})
        async for frame in frames:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Background:
    """The answers that a server keeps.

    `too_old`: they can no longer be streamed; `forgets`: they are not to be had any more.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Keep nothing any more, and refuse nothing."""
        self.kept: dict[str, Kept] = {}
        self.too_old = False
        self.forgets = False
        self.asked: list[str] = []  # what was asked for again, or to be cancelled

    def routes(self) -> list[Route]:
        """The endpoints of one answer."""
        return [
            Route("/v1/responses/{id}", self._retrieve, methods=["GET"]),
            Route("/v1/responses/{id}/cancel", self._cancel, methods=["POST"]),
        ]

    def keep(self, answer: Answer, wire: ResponsesWire, received: Received) -> Kept:
        """Take an answer in, and begin it if it is to be written in the background."""
        kept = self.kept[wire.id] = Kept(answer, wire, received)
        if kept.in_background:
            kept.begin()
        return kept

    def known(self) -> dict[str, str | None]:
        """Return the ids of all items, each with that of the thinking it cannot be without."""
        known: dict[str, str | None] = {}
        for kept in self.kept.values():
            thinking = None
            for item in kept.wire.items:
                is_thinking = item["type"] == "reasoning"
                known[str(item.get("id"))] = None if is_thinking else thinking
                thinking = item["id"] if is_thinking else None
        return known

    async def _retrieve(self, request: Request) -> Response:
        kept = self._known(request)
        if kept is None:
            return _missing(request)
        if request.query_params.get("stream") != "true":
            return JSONResponse(kept.wire.response())
        if self.too_old or not kept.in_background or not kept.received.body.get("stream"):
            return _refused(TOO_OLD if self.too_old else "This response cannot be streamed.")
        start = int(request.query_params.get("starting_after", -1)) + 1
        return Followed(kept, start, first=False)

    async def _cancel(self, request: Request) -> Response:
        kept = self._known(request)
        if kept is None:
            return _missing(request)
        if not kept.in_background:
            return _refused("Cannot cancel a synchronous response.")
        return JSONResponse(await kept.cancel())

    def _known(self, request: Request) -> Kept | None:
        query = f"?{request.url.query}" if request.url.query else ""
        self.asked.append(f"{request.method} {request.url.path}{query}")
        return None if self.forgets else self.kept.get(request.path_params["id"])


def _refused(message: str, status: int = 400) -> Response:
    return JSONResponse(error_body(message, "invalid_request_error"), status)


def _missing(request: Request) -> Response:
    return _refused(f"Response with id '{request.path_params['id']}' not found.", 404)
