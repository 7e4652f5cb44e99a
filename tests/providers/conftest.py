"""A model server of a few lines on a real socket: it answers what the test says, byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conftest import listen

SSE = "text/event-stream"


@dataclass
class RawUpstream:
    """What the model server answers next, and what it was asked."""

    url: str = ""
    status: int = 200
    content_type: str = SSE
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes | float] = field(default_factory=list)  # a number is a pause in seconds
    pause_before: float = 0.0
    models: list[dict[str, Any]] | None = None
    models_body: bytes | None = None  # in place of a list
    requests: list[dict[str, Any]] = field(default_factory=list)
    model_lists: int = 0
    client_left: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, *chunks: dict[str, Any]) -> None:
        """Stream these chunks and `[DONE]`."""
        self.pieces = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
        self.pieces.append(b"data: [DONE]\n\n")

    def say_whole(self, body: Any, content_type: str = "application/json") -> None:
        """Answer with one JSON body."""
        self.content_type = content_type
        self.pieces = [json.dumps(body).encode()]

    async def complete(self, request: Request) -> Response:
        self.requests.append(await request.json())
        await asyncio.sleep(self.pause_before)
        return StreamingResponse(
            self._body(), self.status, {"content-type": self.content_type, **self.headers}
        )

    async def list_models(self, _request: Request) -> Response:
        self.model_lists += 1
        await asyncio.sleep(self.pause_before)
        if self.models_body is not None:
            return Response(self.models_body, media_type=self.content_type)
        if self.models is None:
            return JSONResponse({"error": {"message": "no"}}, 500)
        return JSONResponse({"object": "list", "data": self.models})

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            for piece in self.pieces:
                if isinstance(piece, bytes):
                    yield piece
                else:
                    await asyncio.sleep(piece)
        except asyncio.CancelledError:
            self.client_left.set()
            raise


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """Return a chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def calling(finish: str | None = None, /, **call: Any) -> dict[str, Any]:
    """Return a chunk with a piece of a function call; `name` and `arguments` are the function's."""
    function = {key: call.pop(key) for key in ("name", "arguments") if key in call}
    return chunk(finish, tool_calls=[{**call, "function": function}])


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """Return the usage chunk, which has no choices."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": counts}


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    routes = [
        Route("/v1/chat/completions", server.complete, methods=["POST"]),
        Route("/v1/models", server.list_models, methods=["GET"]),
    ]
    with listen(Starlette(routes=routes)) as url:
        server.url = f"{url}/v1"
        yield server
