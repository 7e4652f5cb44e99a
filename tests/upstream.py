"""A scripted model server on real sockets: the fake at the border to the models.

In a test: `with model_server() as upstream:` and `upstream.queue(Answer(...))`; requests without
a script are answered by a small mind that remembers what it is sent. As a process of its own:
`python -m tests.upstream --port 11500`. `GET /_sent` gives the times its tokens were sent.
"""

import argparse
import asyncio
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.upstream_mind import think
from tests.upstream_scripts import Answer, Body, Ending, Script, Silence
from tests.upstream_wire import DONE, JSON, Wire, model_list

ROOT = Path(__file__).resolve().parent.parent
GATE_POLL = 0.002  # seconds
LONGEST_START = 60.0  # seconds; generous, for machines that do other work as well
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


class Upstream:
    """A model server; scripts are used up in the order of the requests."""

    def __init__(self, *scripts: Script, models: tuple[str, ...] = ("scripted",)) -> None:
        self.port = 0
        self.models = models
        self.requests: list[Received] = []
        self._scripts = deque(scripts)

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` is set to."""
        return f"http://127.0.0.1:{self.port}/v1"

    def queue(self, *scripts: Script) -> None:
        """Answer the next requests in these ways."""
        self._scripts.extend(scripts)

    def application(self) -> Starlette:
        """The server's endpoints."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._list_models),
                Route("/_sent", self._list_sent),
            ]
        )

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        received = Received(dict(request.headers), body)
        script = self._scripts.popleft() if self._scripts else think(received.messages)
        self.requests.append(received)
        return _Reply(script, received, number=len(self.requests))

    async def _list_models(self, _request: Request) -> Response:
        return JSONResponse(model_list(self.models))

    async def _list_sent(self, _request: Request) -> Response:
        return JSONResponse([received.sent for received in self.requests])


class _Reply(Response):
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
        for frame in self._last_frames(answer):
            yield frame

    def _last_frames(self, answer: Answer) -> Iterator[bytes]:
        match answer.ending:
            case Ending.PROPER:
                yield self._wire.finish(answer.reason)
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
    transport: asyncio.Transport = scope["state"]["transport"]
    if reset:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()


class _OpenProtocol(H11Protocol):
    """Hands each request the connection it came by, so that a script can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def _runner(upstream: Upstream) -> uvicorn.Server:
    config = uvicorn.Config(
        upstream.application(),
        http=_OpenProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=0,  # some scripts never end by themselves
    )
    return uvicorn.Server(config)


@contextmanager
def model_server(*scripts: Script, port: int = 0, **options: Any) -> Iterator[Upstream]:
    """Serve in a thread until the block ends; what is unfinished then is broken off."""
    upstream = Upstream(*scripts, **options)
    with socket.create_server(("127.0.0.1", port)) as sock:
        upstream.port = sock.getsockname()[1]
        runner = _runner(upstream)
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not runner.started:
            assert thread.is_alive(), "the model server did not start"
            time.sleep(0.005)
        try:
            yield upstream
        finally:
            runner.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the model server did not end"


@contextmanager
def model_process(port: int) -> Iterator[str]:
    """Serve from a process of its own, which takes no time from the tests'; gives its base URL."""
    command = [sys.executable, "-m", "tests.upstream", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            _wait_until_listening(port, process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()  # it has nothing to save


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_START
    while time.monotonic() < deadline:
        assert process.poll() is None, "the model server did not start"
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.02)
    raise AssertionError("the model server does not listen")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    upstream = Upstream()
    with socket.create_server(("127.0.0.1", port)) as sock:
        upstream.port = sock.getsockname()[1]
        _runner(upstream).run(sockets=[sock])


if __name__ == "__main__":
    main()
