"""A scripted model server on real sockets: the fake at the border to the models.

In a test: `with model_server() as upstream:` and `upstream.queue(Answer(...))`; requests without
a script are answered by a small mind that remembers what it is sent. As a process of its own:
`python -m tests.upstream --port 11500`. `GET /_sent` gives the times its tokens were sent.
"""

import argparse
import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.upstream_background import Background, Followed
from tests.upstream_checks import check
from tests.upstream_containers import Containers
from tests.upstream_mind import think
from tests.upstream_replies import CHAT, RESPONSES, TRANSPORT, Received, Reply
from tests.upstream_responses import ResponsesWire
from tests.upstream_rules import Rule, knows_only, pairs_calls
from tests.upstream_rules import refuses as unknown_parameters
from tests.upstream_scripts import Answer, Script
from tests.upstream_wire import JSON, OLLAMA, Dialect, model_list

ROOT = Path(__file__).resolve().parent.parent
AnyUpstream = TypeVar("AnyUpstream", bound="Upstream")
LONGEST_START = 60.0  # seconds; generous, for machines that do other work as well


class Upstream:
    """A model server; scripts are used up in the order of the requests."""

    def __init__(self, *scripts: Script, **options: Any) -> None:
        """See `become`."""
        self.port = 0
        self.background = Background()
        self.containers = Containers()
        self.become(*scripts, **options)

    def become(
        self,
        *scripts: Script,
        models: tuple[str, ...] = ("scripted",),
        facts: Mapping[str, JSON] = MappingProxyType({}),
        rules: Sequence[Rule] = (),
        refuses: Collection[str] = (),
        strict_models: bool = False,
        dialect: Dialect = OLLAMA,
    ) -> None:
        """Be another server from now on, at the same address.

        `rules` say what it refuses, whatever the script. `refuses` are parameters that its models
        do not know; `strict_models`: it knows no model beside `models`, of some of which its list
        tells `facts`. `dialect` is how it speaks where no script says otherwise.
        """
        self.models = models
        self.facts = facts
        self.dialect = dialect
        self.rules = [*rules, *([unknown_parameters(*refuses)] if refuses else ())]
        self.rules += [knows_only(*models)] if strict_models else []
        self.requests: list[Received] = []
        self.background.clear()
        self.containers.clear()
        self._scripts = deque(scripts)

    @property
    def address(self) -> str:
        """Where it listens. As `http_proxy` it makes the server answer for every other host."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` is set to."""
        return f"{self.address}/v1"

    def queue(self, *scripts: Script) -> None:
        """Answer the next requests in these ways."""
        self._scripts.extend(scripts)

    def forget(self) -> None:
        """Drop the scripts that are left and the requests that were made."""
        self._scripts.clear()
        self.requests.clear()

    def application(self) -> Starlette:
        """The server's endpoints."""
        return Starlette(
            routes=[
                Route(CHAT, self._ask, methods=["POST"]),
                Route(RESPONSES, self._ask, methods=["POST"]),
                *self.background.routes(),
                *self.containers.routes(),
                Route("/v1/models", self._list_models),
                Route("/_sent", self._list_sent),
            ]
        )

    def answer(self, received: Received, number: int) -> Script:
        """Return how a request is answered, the first of all being number 1."""
        if self._scripts:
            return self._scripts.popleft()
        return replace(think(received.messages, received.tools), dialect=self.dialect)

    async def _ask(self, request: Request) -> Response:
        try:
            received = Received(dict(request.headers), await request.json(), request.url.path)
        except ClientDisconnect:  # in the middle of its question
            return Response()
        self.requests.append(received)
        number = len(self.requests)
        refusal = self._refusal(received)
        received.refused = refusal is not None
        reply = Reply(refusal or self.answer(received, number), received, number)
        return self._kept(reply) or reply

    def _refusal(self, received: Received) -> Script | None:
        refusal: Script | None = pairs_calls(received) or check(received, self.background.known())
        for rule in self.rules:
            refusal = refusal or rule(received)
        return refusal

    def _kept(self, reply: Reply) -> Response | None:
        """Keep an answer that may be asked for again; return who sends it if it goes on alone."""
        received, wire, script = reply.received, reply.wire, reply.script
        if not isinstance(script, Answer) or not isinstance(wire, ResponsesWire):
            return None
        if not script.dialect.responses.keeps or received.body.get("store") is False:
            return None
        kept = self.background.keep(script, wire, received)
        if not kept.in_background:
            return None
        if received.body.get("stream"):
            return Followed(kept, 0, first=True)
        return JSONResponse(wire.response(status="queued"))

    async def _list_models(self, _request: Request) -> Response:
        return JSONResponse(model_list(self.models, self.facts))

    async def _list_sent(self, _request: Request) -> Response:
        return JSONResponse([received.sent for received in self.requests])


class _OpenProtocol(H11Protocol):
    """Hands each request the connection it came by, so that a script can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _AnyHost:
    """Lets a server stand in for every host: that of a proxy's client is in the request's path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("http://"):
            path = urlsplit(scope["path"]).path
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


def _runner(upstream: Upstream) -> uvicorn.Server:
    config = uvicorn.Config(
        _AnyHost(upstream.application()),
        http=_OpenProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=0,  # some scripts never end by themselves
    )
    return uvicorn.Server(config)


def _listening(port: int) -> socket.socket:
    # Said to be TCP, unlike those of `create_server`: only on such sockets does asyncio switch off
    # the delay of up to 40 ms that small packets such as tokens would otherwise meet.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen()
    return sock


@contextmanager
def model_server(*scripts: Script, port: int = 0, **options: Any) -> Iterator[Upstream]:
    """Serve in a thread until the block ends; what is unfinished then is broken off."""
    with served(Upstream(*scripts, **options), port) as upstream:
        yield upstream


@contextmanager
def served(upstream: AnyUpstream, port: int = 0) -> Iterator[AnyUpstream]:
    """The same for a model server that was made elsewhere."""
    with _listening(port) as sock:
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
    with module_process("tests.upstream", port):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def module_process(module: str, port: int, *arguments: str) -> Iterator[int]:
    """Run a module that serves `--port` in a process of its own; gives its number."""
    command = [sys.executable, "-m", module, "--port", str(port), *arguments]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            wait_until_listening(port, process)
            yield process.pid
        finally:
            process.kill()  # it has nothing to save


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once a process accepts connections."""
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
    parser.add_argument("--port", type=int, required=True)
    with _listening(parser.parse_args().port) as sock:
        _runner(Upstream()).run(sockets=[sock])


if __name__ == "__main__":
    main()
