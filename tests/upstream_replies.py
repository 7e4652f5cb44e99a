"""Plays the scripts of the scripted model server on one connection each."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.upstream_chat import ChatWire
from tests.upstream_input import messages_of, tools_of
from tests.upstream_responses import ResponsesWire
from tests.upstream_scripts import Answer, Body, Ending, Script, Silence
from tests.upstream_wire import JSON

TRANSPORT = "transport"  # where a request's state holds the connection it came by
GATE_POLL = 0.002  # seconds
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

TOLD = b'"response.output_text.delta"'
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
Wire = ChatWire | ResponsesWire


@dataclass
class Received:
    """A request for an answer, and what became of it."""

    headers: dict[str, str]
    body: JSON
    path: str = CHAT
    sent: list[float] = field(default_factory=list)  # time of each token, seconds since 1970
    hung_up: threading.Event = field(default_factory=threading.Event)  # by the client, too early
    answered: threading.Event = field(default_factory=threading.Event)  # or refused, or broken off
    refused: bool = False  # by a rule of the server

    @property
    def messages(self) -> list[JSON]:
        """The conversation that was sent, as Chat Completions tells it."""
        return messages_of(self.body)

    @property
    def tools(self) -> list[JSON]:
        """The functions that may be called, told in the same way."""
        return tools_of(self.body)


def wire_for(received: Received, answer: Answer, number: int) -> Wire:
    """Return who writes the answer to a request, the first of all being number 1."""
    kind = ResponsesWire if received.path == RESPONSES else ChatWire
    return kind(answer, received.body, number)


async def frames_of(answer: Answer, wire: Wire, received: Received) -> AsyncIterator[bytes]:
    """Yield an answer in its own time."""
    if not answer.is_empty:
        yield wire.opening()
    await asyncio.sleep(answer.delay)
    for thought in answer.thoughts:
        yield wire.thought(thought)
    for item in answer.items:
        yield wire.item(item)
    for data in answer.strange:
        yield wire.strange(data)
    async for token in _paced(answer):
        received.sent.append(time.time())
        yield wire.token(token)
    for frame in _after_tokens(answer, wire):
        yield frame


async def _paced(answer: Answer) -> AsyncIterator[str]:
    began = time.monotonic()
    for number, token in enumerate(answer.tokens):
        if isinstance(token, threading.Event):
            await _opened(token)
            continue
        if answer.rate:
            # Against the clock, not after each other: sleeping too long must not add up.
            await asyncio.sleep(max(began + number / answer.rate - time.monotonic(), 0))
        yield token


def _after_tokens(answer: Answer, wire: Wire) -> Iterator[bytes]:
    yield from map(wire.refused, answer.refusal)
    yield wire.annotations(answer.annotations)
    yield from wire.calls(answer.calls)
    yield from wire.ending()


class Reply(Response):
    """Plays a script, and watches whether the client stays to the end."""

    def __init__(self, script: Script, received: Received, number: int) -> None:
        self.script = script
        self.received = received
        answer = script if isinstance(script, Answer) else Answer()
        self.wire = wire_for(received, answer, number)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if await left_early(self._play(scope, receive, send), receive):
                self.received.hung_up.set()
        finally:
            self.received.answered.set()

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        match self.script:
            case Silence():
                await asyncio.Event().wait()
            case Body():
                await _plain(self.script)(scope, receive, send)
            case Answer(as_one_body=one_body) if one_body or not self.received.body.get("stream"):
                await asyncio.sleep(self.script.delay)
                headers = dict(self.script.headers)
                await JSONResponse(self.wire.whole(), headers=headers)(scope, receive, send)
            case Answer():
                frames = frames_of(self.script, self.wire, self.received)
                await play(self.script, frames, self.received, scope, send)


async def play(
    answer: Answer, frames: AsyncIterator[bytes], received: Received, scope: Scope, send: Send
) -> None:
    """Send the frames of an answer, and end the connection as it says."""
    await begin_stream(send, answer.headers)
    told = 0  # tokens of the answer
    async for frame in frames:
        # In the background there may be more of them already than are sent.
        told = len(received.sent) if received.path == CHAT else told + frame.count(TOLD)
        for data in _packets(frame) if answer.byte_by_byte else (frame,):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        if answer.torn_after is not None and told >= answer.torn_after:
            _close(scope, reset=False)
            return
    match answer.ending:
        case Ending.HANG:
            await asyncio.Event().wait()
        case Ending.CUT | Ending.RESET:
            _close(scope, reset=answer.ending is Ending.RESET)
        case _:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def begin_stream(send: Send, headers: Mapping[str, str]) -> None:
    """Send the head of a stream."""
    given = {"content-type": "text/event-stream; charset=utf-8", **headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in given.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})


async def left_early(playing: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Send an answer, and return whether the client hung up before its end."""
    sending = asyncio.create_task(playing)
    hanging_up = asyncio.create_task(_disconnected(receive))
    await asyncio.wait({sending, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
    left = not sending.done()
    for task in (sending, hanging_up):
        task.cancel()
    await asyncio.gather(sending, hanging_up, return_exceptions=True)
    if not sending.cancelled():
        sending.result()  # a script that cannot be played is the test's mistake
    return left


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _opened(gate: threading.Event) -> None:
    while not gate.is_set():  # noqa: ASYNC110 - a thread that waits for it cannot be given up
        await asyncio.sleep(GATE_POLL)


def _plain(body: Body) -> Response:
    kind = HTMLResponse if isinstance(body.content, str) else JSONResponse
    return kind(body.content, body.status, dict(body.headers))


def _packets(data: bytes) -> Iterator[bytes]:
    return (data[index : index + 1] for index in range(len(data)))


def _close(scope: Scope, *, reset: bool) -> None:
    transport: asyncio.Transport = scope["state"][TRANSPORT]
    if reset:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
