"""A model server on a real port that never stops answering."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from tests.conftest import listen

WORD = "again "


@contextmanager
def endless_model() -> Iterator[str]:
    """Give the base URL of a model that says one word for ever."""
    routes = [
        Route("/v1/models", models),
        Route("/v1/chat/completions", completions, methods=["POST"]),
    ]
    with listen(Starlette(routes=routes)) as url:
        yield f"{url}/v1"


async def models(_request: Request) -> JSONResponse:
    """The one model."""
    return JSONResponse({"object": "list", "data": [{"id": "endless", "object": "model"}]})


async def completions(_request: Request) -> StreamingResponse:
    """An answer without an end."""
    return StreamingResponse(words(), media_type="text/event-stream")


async def words() -> AsyncIterator[str]:
    """The chunks of the answer."""
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "endless",
        "choices": [{"index": 0, "delta": {"content": WORD}, "finish_reason": None}],
    }
    while True:
        yield f"data: {json.dumps(chunk)}\n\n"
        await asyncio.sleep(0.02)
