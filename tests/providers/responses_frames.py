"""A server of the Responses API in a few lines, on a real socket, and the events it may send."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from streamlit_assistant.providers.base import Delta, ModelRequest, PromptMessage
from streamlit_assistant.providers.responses.api import ResponsesProvider
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.conftest import listen

JSON = dict[str, Any]
Event = JSON
Piece = bytes | float | type[ConnectionError]
SSE = "text/event-stream"
KEY = "sk-secret-0123456789"
SERVER = "a server"
DONE = b"data: [DONE]\n\n"


@dataclass
class Reply:
    """One HTTP answer: a number is a pause in seconds, `ConnectionError` breaks the connection."""

    pieces: Sequence[Piece] = ()
    status: int = 200
    content_type: str = SSE


@dataclass
class Asked:
    """One HTTP request, its path as it was sent, and whether it carried the key."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    body: Any
    authorized: bool


@dataclass
class ResponsesServer:
    """What the server answers next, by method and path, and what it was asked."""

    url: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def say(self, *events: Event, to: str = "POST responses") -> None:
        """Answer with these events."""
        self.reply(Reply([frame(event) for event in events]), to=to)

    def tell(self, body: object, status: int = 200, to: str = "POST responses") -> None:
        """Answer with one JSON body."""
        self.reply(Reply([json.dumps(body).encode()], status, "application/json"), to=to)

    def reply(self, *replies: Reply, to: str = "POST responses") -> None:
        """Answer in these ways, one after the other."""
        self.replies.setdefault(to, []).extend(replies)

    def reset(self) -> None:
        """Forget everything."""
        self.replies.clear()
        self.asked.clear()

    @property
    def body(self) -> Any:
        """The body of the last request."""
        return self.asked[-1].body

    async def answer(self, request: Request) -> Response:
        content = await request.body()
        path = request.url.path.removeprefix("/v1/")
        authorized = request.headers.get("authorization") == f"Bearer {KEY}"
        body = json.loads(content) if content else None
        query = request.query_params.multi_items()
        asked_path = request.scope["raw_path"].decode().removeprefix("/v1/")
        self.asked.append(Asked(request.method, asked_path, query, body, authorized))
        waiting = self.replies.get(f"{request.method} {path}")
        if not waiting:
            return JSONResponse({"error": {"message": "nothing here"}}, 404)
        reply = waiting.pop(0)
        headers = {"content-type": reply.content_type}
        return StreamingResponse(_pieces(reply.pieces), reply.status, headers)


async def _pieces(pieces: Sequence[Piece]) -> AsyncIterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        elif isinstance(piece, float):
            await anyio.sleep(piece)
        else:
            raise piece


@contextmanager
def responses_server() -> Iterator[ResponsesServer]:
    """Serve, until the end of the block."""
    server = ResponsesServer()
    routes = [Route("/v1/{path:path}", server.answer, methods=["GET", "POST"])]
    with listen(Starlette(routes=routes)) as url:
        server.url = f"{url}/v1"
        yield server


def provider_of(
    client: httpx2.AsyncClient, server: ResponsesServer, **options: Any
) -> ResponsesProvider:
    """Return an adapter for the server that waits for nothing long."""
    quick = {"first_token_seconds": 2.0, "silence_seconds": 2.0, "poll_seconds": 0.01}
    explainer = Explainer(server.url, KEY)
    return ResponsesProvider(client, explainer, **{"server": SERVER, **quick, **options})


def client_of(server: ResponsesServer) -> httpx2.AsyncClient:
    """Return a client that knows the address and the key."""
    return httpx2.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"})


async def answer_of(
    server: ResponsesServer, request: ModelRequest | None = None, **options: Any
) -> list[Delta]:
    """Return all deltas of one answer."""
    async with client_of(server) as client:
        provider = provider_of(client, server, **options)
        return [delta async for delta in provider.stream(request or asking())]


def asking(**fields: Any) -> ModelRequest:
    """Return a request, with whatever is given in place of the ordinary."""
    messages = [PromptMessage("user", [text_part("hi")])]
    return ModelRequest(
        **{"model": "m", "instructions": "Be kind.", "messages": messages, **fields}
    )


def text_part(value: str) -> JSON:
    """Return text as the Assistants API stores it."""
    return {"type": "text", "text": {"value": value, "annotations": []}}


def frame(event: Event) -> bytes:
    """Return an event as it is sent."""
    name = event.get("type", "message")
    return f"event: {name}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def numbered(*events: Event) -> list[Event]:
    """Return the events with their sequence numbers, from 0."""
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def response(status: str = "in_progress", *output: JSON, **fields: Any) -> JSON:
    """Return a response object."""
    head = {"id": "resp_1", "object": "response", "status": status, "model": "m"}
    return {**head, "output": list(output), "error": None, "usage": None, **fields}


def created(**fields: Any) -> Event:
    """Return the first event."""
    return {"type": "response.created", "response": response(**fields)}


def ended(status: str = "completed", *output: JSON, **fields: Any) -> Event:
    """Return the last event."""
    return {"type": f"response.{status}", "response": response(status, *output, **fields)}


def counts(prompt: int, completion: int, **details: int) -> JSON:
    """Return the tokens as a response tells them."""
    told: JSON = {"input_tokens": prompt, "output_tokens": completion}
    if details:
        told["input_tokens_details"] = {"cached_tokens": details.get("cached", 0)}
        told["output_tokens_details"] = {"reasoning_tokens": details.get("reasoned", 0)}
    return told


def message_item(text: str, index: int = 0, **part: Any) -> JSON:
    """Return a whole message."""
    content = {"type": "output_text", "text": text, "annotations": [], **part}
    head = {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": [content]}


def call_item(arguments: str = '{"city": "Oslo"}', index: int = 0, name: str = "weather") -> JSON:
    """Return a whole function call."""
    head = {"id": f"fc_{index}", "type": "function_call", "status": "completed"}
    return {**head, "call_id": f"call_{index}", "name": name, "arguments": arguments}


def said(*pieces: str, index: int = 0, notes: Mapping[int, JSON] | None = None) -> list[Event]:
    """Return the events of a message, as OpenAI sends them; `notes`: annotations after a piece."""
    whole, place = "".join(pieces), {"item_id": f"msg_{index}", "output_index": index}
    within: JSON = {**place, "content_index": 0}
    annotations = list((notes or {}).values())
    item = message_item(whole, index, annotations=annotations)
    events = [
        added({**item, "content": [], "status": "in_progress"}, index),
        {"type": "response.content_part.added", **within, "part": {"type": "output_text"}},
    ]
    for number, piece in enumerate(pieces):
        events.append({"type": "response.output_text.delta", **within, "delta": piece})
        if notes and number in notes:
            note = notes[number]
            kind = "response.output_text.annotation.added"
            number_of_note = annotations.index(note)
            events.append(
                {"type": kind, **within, "annotation": note, "annotation_index": number_of_note}
            )
    return [
        *events,
        {"type": "response.output_text.done", **within, "text": whole},
        {"type": "response.content_part.done", **within, "part": item["content"][0]},
        done(item, index),
    ]


def called(*pieces: str, index: int = 0, name: str = "weather") -> list[Event]:
    """Return the events of a function call, as OpenAI sends them."""
    item, place = call_item("".join(pieces), index, name), {"item_id": f"fc_{index}"}
    kind = "response.function_call_arguments"
    return [
        added({**item, "arguments": "", "status": "in_progress"}, index),
        *(
            {"type": f"{kind}.delta", **place, "output_index": index, "delta": piece}
            for piece in pieces
        ),
        {"type": f"{kind}.done", **place, "output_index": index, "arguments": item["arguments"]},
        done(item, index),
    ]


def added(item: JSON, index: int = 0) -> Event:
    """Return the event that announces an item."""
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item: JSON, index: int = 0) -> Event:
    """Return the event that tells an item as a whole."""
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(kind: str, piece: str, index: int = 0, **place: Any) -> Event:
    """Return the event of a piece."""
    of_item = {"item_id": f"item_{index}", "output_index": index}
    return {"type": f"response.{kind}.delta", **of_item, **place, "delta": piece}
