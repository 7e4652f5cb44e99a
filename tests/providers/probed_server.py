"""A model server on a real socket that can do what a test says, for those that try it out."""

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conftest import listen
from tests.providers.responses_frames import called, counts, created, ended, frame, numbered, said

MODEL = "probed"
PLACE = {"place_name": "Paris", "is_seat_of_government": True}


def refusal(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> Response:
    """Return a refusal as OpenAI words it."""
    kind = "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status)


@dataclass
class ProbedServer:
    """What the server can do; a response in place of an ability is how it refuses."""

    url: str = ""
    pieces: bool = True  # answers come a word at a time
    usage: bool = True
    thoughts: str = ""
    context: int | None = 8192
    shutdown_date: str | None = None
    vectors: int | None = 5  # numbers in one
    unwilling: Response | None = None  # the answer to all who want vectors
    calls: bool | Response = True  # functions by itself
    obeys_force: bool | Response = True
    parallel: bool = True
    uses_outputs: bool | Response = True
    schema: bool | str | Response = True
    sees: bool | Response = True
    down: Response | None = None  # the answer to all questions
    refuses: frozenset[str] = frozenset()  # parameters
    pause: float = 0.0
    wasted: int = 0  # tokens that are thought away before anything is said
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def complete(self, request: Request) -> Response:
        """`POST /chat/completions`"""
        body = await request.json()
        self.requests.append(body)
        if self.down is not None:
            return self.down
        for name in sorted(self.refuses & body.keys()):
            words = f"Unsupported parameter: '{name}' is not supported with this model."
            return refusal(400, words, name, "unsupported_parameter")
        await asyncio.sleep(self.pause)
        found = self._answer(body)
        if isinstance(found, Response):
            return found
        return StreamingResponse(self._stream(found, body), media_type="text/event-stream")

    async def respond(self, request: Request) -> Response:
        """`POST /responses`"""
        body = await request.json()
        self.requests.append(body)
        if self.down is not None:
            return self.down
        found = self._answer(as_chat(body))
        if isinstance(found, Response):
            return found
        events = [created(), *self._events(found), ended(usage=counts(20, 30))]
        return StreamingResponse(map(frame, numbered(*events)), media_type="text/event-stream")

    async def list_models(self, _request: Request) -> Response:
        """`GET /models`"""
        model: dict[str, Any] = {
            "id": MODEL,
            "object": "model",
            "created": 1,
            "owned_by": "somebody",
        }
        if self.context is not None:
            model["context_length"] = self.context
        if self.shutdown_date is not None:
            model["shutdown_date"] = self.shutdown_date
        listed = [model] + ([{"id": "embedder"}] if self.vectors else [])
        return JSONResponse({"object": "list", "data": listed})

    async def embed(self, request: Request) -> Response:
        """`POST /embeddings`"""
        texts = (await request.json())["input"]
        if self.unwilling is not None:
            return self.unwilling
        if self.vectors is None:
            return refusal(404, "no embeddings here")
        data = [{"index": at, "embedding": [0.5] * self.vectors} for at in range(len(texts))]
        return JSONResponse({"data": data})

    def _answer(self, body: dict[str, Any]) -> dict[str, Any] | Response:
        question = json.dumps(body["messages"])
        if body["messages"][-1]["role"] == "tool":
            return self._ability(self.uses_outputs, "It is 4:27 there.", "I do not know.")
        if "time is it" in question:
            return self._called(body, question)
        if "response_format" in body:
            if isinstance(self.schema, str):
                return {"content": self.schema}
            return self._ability(self.schema, json.dumps(PLACE), "Paris is lovely.")
        if "image_url" in question:
            return self._ability(self.sees, seen(body), "White")
        if "Count" in question:
            return {"content": " ".join(str(number) for number in range(1, 31))}
        return {"content": "hello there"}

    @staticmethod
    def _ability(has: bool | Response, yes: str, no: str) -> dict[str, Any] | Response:
        return has if isinstance(has, Response) else {"content": yes if has else no}

    def _called(self, body: dict[str, Any], question: str) -> dict[str, Any] | Response:
        choice = body.get("tool_choice", "auto")
        offered = bool(body.get("tools")) and choice != "none"
        has = self.obeys_force if isinstance(choice, dict) else self.calls
        if not offered or has is False:
            return {"content": "I have no clock."}
        if isinstance(has, Response):
            return has
        cities = ["Paris", "Tokyo"] if "Tokyo" in question and self.parallel else ["Paris"]
        return {"calls": cities}

    async def _stream(self, said: dict[str, Any], body: dict[str, Any]) -> AsyncIterator[bytes]:
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 10**6
        cut = limit < self.wasted
        for delta in [] if cut else self._deltas(said):
            yield _frame([{"index": 0, "delta": delta, "finish_reason": None}])
            await asyncio.sleep(0.002)
        reason = "length" if cut else "tool_calls" if "calls" in said else "stop"
        yield _frame([{"index": 0, "delta": {}, "finish_reason": reason}])
        if self.usage:
            yield _frame([], usage={"prompt_tokens": 20, "completion_tokens": 30})
        yield b"data: [DONE]\n\n"

    def _deltas(self, said: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self.thoughts:
            yield {"reasoning_content": self.thoughts}
        for index, city in enumerate(said.get("calls", [])):
            function = {"name": "get_time", "arguments": json.dumps({"city": city})}
            call = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
            yield {"tool_calls": [call]}
        text: str = said.get("content", "")
        for piece in text.split(" ") if self.pieces and "{" not in text else [text]:
            yield {"content": f"{piece} " if self.pieces else piece}

    @staticmethod
    def _events(found: dict[str, Any]) -> list[dict[str, Any]]:
        calls = [json.dumps({"city": city}) for city in found.get("calls", [])]
        if not calls:
            return said(*(f"{word} " for word in found["content"].split(" ")))
        events = [called(call, index=at, name="get_time") for at, call in enumerate(calls)]
        return [event for each in events for event in each]


def as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request to the Responses API as if it were one for a chat completion."""
    chat = {**body, "messages": [as_message(item) for item in body["input"]]}
    if body.get("text", {}).get("format", {}).get("type") == "json_schema":
        chat["response_format"] = body["text"]["format"]
    return chat


def as_message(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of the input as a message."""
    if item.get("type") == "function_call_output":
        return {"role": "tool", "content": item["output"]}
    pictures = [
        {"type": "image_url", "image_url": {"url": part["image_url"]}}
        for part in item.get("content", [])
        if isinstance(part, dict) and part["type"] == "input_image"
    ]
    return {**item, "role": item.get("role"), "content": pictures or item.get("content")}


def seen(body: dict[str, Any]) -> str:
    """Look at the picture in a request and return its colour, as a model that can see would."""
    (part,) = [p for p in body["messages"][-1]["content"] if p["type"] == "image_url"]
    kind, _, encoded = part["image_url"]["url"].partition(",")
    assert kind == "data:image/png;base64"
    data = base64.b64decode(encoded)
    width, height, bits, colours = struct.unpack(">IIBB", data[16:26])
    start = data.index(b"IDAT") + 4
    length = int.from_bytes(data[start - 8 : start - 4])
    pixels = zlib.decompress(data[start : start + length])
    assert (len(pixels), bits, colours) == (height * (1 + 3 * width), 8, 2)
    return {b"\x80\x00\x80": "Purple.", b"\x00\x80\x00": "Green."}[pixels[1:4]]


def _frame(choices: list[dict[str, Any]], **more: Any) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "choices": choices, **more}
    return f"data: {json.dumps(chunk)}\n\n".encode()


@contextmanager
def probed_server(**abilities: Any) -> Iterator[ProbedServer]:
    """Serve until the block ends; without abilities named it can do everything."""
    server = ProbedServer(**abilities)
    routes = [
        Route("/v1/chat/completions", server.complete, methods=["POST"]),
        Route("/unlisted/v1/chat/completions", server.complete, methods=["POST"]),
        Route("/v1/responses", server.respond, methods=["POST"]),
        Route("/v1/embeddings", server.embed, methods=["POST"]),
        Route("/v1/models", server.list_models, methods=["GET"]),
    ]
    with listen(Starlette(routes=routes)) as url:
        server.url = f"{url}/v1"
        yield server
