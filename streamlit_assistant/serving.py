"""The uvicorn process around the application: where it listens, how a start fails, how it ends.

Only `main.py` uses it; it knows neither Streamlit nor our two columns.
"""

import asyncio
import errno
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import HANDLED_SIGNALS

from streamlit_assistant.errors import StartError

# How much longer than the draining a request may still take after a signal.
AFTER_DRAINING = 4  # seconds
LISTENING_POLL = 0.01  # seconds
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Address:
    """What the process listens on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """How to reach it from this machine."""
        host = WILDCARDS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return self.host == "localhost"

    def ensure_free(self) -> None:
        """Raises `StartError` if nobody, or somebody else, can listen on it."""
        with socket.socket(self._family) as probe:
            # As the server will; without it a port stays taken for a minute after its server ended.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise StartError(self._refusal(error)) from error

    def listener(self, backlog: int) -> socket.socket:
        """A socket that listens on it, for IPv4 too where it is every address of IPv6."""
        v6 = self._family is socket.AF_INET6
        return socket.create_server(
            (self.host, self.port), family=self._family, backlog=backlog, dualstack_ipv6=v6
        )

    @property
    def _family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def _refusal(self, error: OSError) -> str:
        match error.errno:
            case errno.EADDRINUSE:
                return f"Port {self.port} is taken by another program; choose one with --port."
            case errno.EACCES:
                return f"Port {self.port} may not be used by this user; choose one with --port."
            case _:  # the name is unknown, or the address belongs to another machine
                return f"{self.host} is not an address of this machine; choose one with --host."


def serve(app: ASGIApp, address: Address) -> None:
    """Serve an application without a page until a signal ends it, as Streamlit serves one with."""
    config = uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    with address.listener(config.backlog) as listener:
        server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(1)


def log_to_terminal() -> None:
    """Let our log appear as Streamlit would show it; of other logs only what is a warning."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    ours = logging.getLogger(__package__)
    ours.setLevel(logging.INFO)
    ours.addHandler(handler)
    ours.propagate = False


def serving_address(expected: Address) -> Address:
    """Where the server that runs the application listens, whoever chose its port."""
    server = host_server()
    return Address(server.config.host, server.config.port) if server else expected


def host_server() -> uvicorn.Server | None:
    """The uvicorn server this process runs in, None in another server or in a test.

    Ask before `drained_first` is opened: the server does not make itself known to the application,
    but its signal handler is one of its methods.
    """
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, uvicorn.Server) else None


@contextmanager
def drained_first(begin_drain: Callable[[], None], drain_seconds: int) -> Iterator[None]:
    """While this is open, a signal to end first lets the running answers finish, for so long.

    uvicorn waits for open responses before it ends the lifespan. A followed answer is one, so
    nothing that the lifespan does at its end could stop it: it has to be told before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread only
        return
    server = host_server()
    if server and server.config.timeout_graceful_shutdown is None:
        # Someone who sends half a request must not hold up the end for ever.
        server.config.timeout_graceful_shutdown = drain_seconds + AFTER_DRAINING
    loop = asyncio.get_running_loop() if server else None
    previous = {number: signal.getsignal(number) for number in HANDLED_SIGNALS}

    def drain_and_end(number: int, frame: FrameType | None) -> None:
        begin_drain()
        if server and loop and server.should_exit:  # asked for the second time
            loop.call_soon_threadsafe(_hang_up, server)
        end = previous[signal.Signals(number)]
        if callable(end):
            end(number, frame)

    for number in previous:
        signal.signal(number, drain_and_end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


async def listening(server: uvicorn.Server | None) -> None:
    """Return once the server accepts connections; at once if it is not one we know."""
    # It listens only after the lifespan has begun, and tells nobody.
    while server and not server.started:  # noqa: ASYNC110 - a flag of uvicorn, no event of ours
        await asyncio.sleep(LISTENING_POLL)


def send_at_once(server: uvicorn.Server | None) -> None:
    """Let no small answer or token wait for the client's acknowledgement of the one before.

    asyncio switches that delay of up to 40 ms off, but not on sockets made by Streamlit, which do
    not say that they speak TCP. Connections inherit it from the socket that listens.
    """
    for listener in server.servers if server else ():
        for listening_socket in listener.sockets:
            if listening_socket.family in (socket.AF_INET, socket.AF_INET6):
                listening_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _hang_up(server: uvicorn.Server) -> None:
    """Close the connections uvicorn no longer waits for; from Python 3.12 on asyncio still does."""
    for connection in list(server.server_state.connections):
        connection.transport.abort()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While this is open, a signal to end is no failure: the exit code is 0."""

    def leave(number: int, frame: FrameType | None) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # not serving yet
            raise SystemExit(0) from None
        # Else it is uvicorn, which raises the signal once more after it has shut down.

    previous = {number: signal.signal(number, leave) for number in HANDLED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class PlainStartErrors:
    """ASGI middleware: a start that is refused ends with its reason, not with a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        failures: list[Message] = []

        async def hold_back_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await self.app(scope, receive, hold_back_failure)
        except StartError as error:
            failures = [{"type": "lifespan.startup.failed", "message": str(error)}]
            raise
        finally:
            for failure in failures:
                await send(failure)
