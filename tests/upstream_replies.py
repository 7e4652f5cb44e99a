"""Plays the scripts of the scripted model server on one connection each."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.upstream_scripts import Answer, Body, Ending, Script, Silence
from tests.upstream_wire import DONE, JSON, Wire

TRANSPORT = "transport"  # where a request's state holds the connection it came by
GATE_POLL = 0.002  # seconds
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class Received:
    """A request for a completion, and what became of it."""

    headers: dict[str, str]
    body: JSON
    sent: list[float] = field(default_factory=list)  # time of each token, seconds since 1970
    hung_up: threading.Event = field(default_factory=threading.Event)  # by the client, too early
    answered: threading.Event = field(default_factory=threading.Event)  # or refused, or broken off

    @property
    def messages(self) -> list[JSON]:
        """The conversation that was sent."""
        messages: list[JSON] = self.body["messages"]
        return messages


class Reply(Response):
    """Plays a script, and watches whether the client stays to the end."""

    def __init__(self, script: Script, received: Received, number: int) -> None:
        self._script = script
        self._received = received
        self._wire = Wire(getattr(script, "dialect", Answer.dialect), received.body, number)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        playing = asyncio.create_task(self._play(scope, receive, send))
        hanging_up = asyncio.create_task(_disconnected(receive))
        await asyncio.wait({playing, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            self._received.hung_up.set()
        for task in (playing, hanging_up):
            task.cancel()
        await asyncio.gather(playing, hanging_up, return_exceptions=True)
        self._received.answered.set()
        if not playing.cancelled():
            playing.result()  # a script that cannot be played is the test's mistake

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        match self._script:
            case Silence():
                await asyncio.Event().wait()
            case Body():
                await _plain(self._script)(scope, receive, send)
            case Answer(as_one_body=one_body) if one_body or not self._received.body.get("stream"):
                await JSONResponse(await self._whole(self._script))(scope, receive, send)
            case Answer():
                await self._stream(self._script, scope, send)

    async def _whole(self, answer: Answer) -> JSON:
        await asyncio.sleep(answer.delay)
        count = len(answer.tokens) + len(answer.thoughts)
        return self._wire.whole(answer.text, "".join(answer.thoughts), answer.reason, count)

    async def _stream(self, answer: Answer, scope: Scope, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for frames in self._frames(answer):
            for data in _packets(frames) if answer.byte_by_byte else (frames,):
                await send({"type": "http.response.body", "body": data, "more_body": True})
        match answer.ending:
            case Ending.HANG:
                await asyncio.Event().wait()
            case Ending.CUT | Ending.RESET:
                _close(scope, reset=answer.ending is Ending.RESET)
            case _:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _frames(self, answer: Answer) -> AsyncIterator[bytes]:
        if answer.tokens or answer.thoughts or answer.ending is not Ending.EARLY:
            yield self._wire.opening()
        await asyncio.sleep(answer.delay)
        for thought in answer.thoughts:
            yield self._wire.thought(thought)
        began = time.monotonic()
        for number, token in enumerate(answer.tokens):
            if isinstance(token, threading.Event):
                await _opened(token)
                continue
            if answer.rate:
                # Against the clock, not after each other: sleeping too long must not add up.
                await asyncio.sleep(max(began + number / answer.rate - time.monotonic(), 0))
            self._received.sent.append(time.time())
            yield self._wire.token(token)
        for frame in self._wire.calls(answer.calls):
            yield frame
        for frame in self._last_frames(answer):
            yield frame

    def _last_frames(self, answer: Answer) -> Iterator[bytes]:
        match answer.ending:
            case Ending.PROPER:
                yield self._wire.finish("tool_calls" if answer.calls else answer.reason)
                yield self._wire.usage(len(answer.tokens) + len(answer.thoughts)) + DONE
            case Ending.NO_FINISH:
                yield DONE
            case Ending.ERROR:
                yield self._wire.error({"code": 502, "message": "Provider returned error"})
            case Ending.BROKEN_JSON:
                yield self._wire.half_a_frame()


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
