import asyncio
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import FrameType

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Message

from streamlit_assistant.errors import StartError
from streamlit_assistant.serving import (
    AFTER_DRAINING,
    Address,
    PlainStartErrors,
    drained_first,
    ended_by_signals,
    listening,
    send_at_once,
    serving_address,
)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501"),
        ("0.0.0.0", "http://127.0.0.1:8501"),
        ("::", "http://[::1]:8501"),
        ("::1", "http://[::1]:8501"),
        ("10.1.2.3", "http://10.1.2.3:8501"),
        ("localhost", "http://localhost:8501"),
    ],
)
def test_the_url_reaches_the_address_from_this_machine(host: str, url: str) -> None:
    assert Address(host, 8501).url == url


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.1.2.3", False),
        ("chat.example.org", False),
    ],
)
def test_only_loopback_addresses_are_out_of_reach_of_others(host: str, loopback: bool) -> None:
    assert Address(host, 8501).is_loopback is loopback


def test_a_free_port_is_free_and_stays_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

    Address("127.0.0.1", port).ensure_free()
    Address("127.0.0.1", port).ensure_free()


@pytest.mark.parametrize("listener", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_refused_in_one_sentence(listener: str) -> None:
    with socket.create_server((listener, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(StartError) as refused:
            Address("127.0.0.1", port).ensure_free()

    assert str(refused.value) == f"Port {port} is taken by another program; choose one with --port."


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(StartError, match="is not an address of this machine"):
        Address(host, 8501).ensure_free()


@pytest.mark.parametrize(
    ("host", "clients"),
    [("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"]), ("::", ["127.0.0.1", "::1"])],
)
def test_every_address_of_ipv6_means_ipv4_too(host: str, clients: list[str]) -> None:
    with Address(host, 0).listener(5) as listener:
        port = listener.getsockname()[1]
        for client in clients:
            socket.create_connection((client, port)).close()


def test_without_uvicorn_the_expected_address_counts() -> None:
    assert serving_address(Address("127.0.0.1", 8501)) == Address("127.0.0.1", 8501)


@contextmanager
def server_handler(calls: list[str]) -> Iterator[None]:
    """Stands for uvicorn's own handling of signals."""

    def end(number: int, frame: FrameType | None) -> None:
        calls.append(f"end by {signal.Signals(number).name}")

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_before_the_server_ends(number: signal.Signals) -> None:
    calls: list[str] = []
    with server_handler(calls), drained_first(lambda: calls.append("drain"), 5):
        signal.raise_signal(number)

    assert calls == ["drain", f"end by {number.name}"]


def test_a_second_signal_reaches_the_server_too() -> None:
    calls: list[str] = []
    with server_handler(calls), drained_first(lambda: calls.append("drain"), 5):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    assert calls.count("end by SIGTERM") == calls.count("end by SIGINT") == 1


@pytest.mark.parametrize("drain_seconds", [0, 300])
async def test_requests_get_longer_than_the_answers_that_are_let_finish(drain_seconds: int) -> None:
    server = uvicorn.Server(uvicorn.Config(Starlette()))
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    with drained_first(lambda: None, drain_seconds):
        pass
    signal.signal(signal.SIGTERM, before)

    assert server.config.timeout_graceful_shutdown == drain_seconds + AFTER_DRAINING


def test_afterwards_the_server_has_its_signals_back() -> None:
    calls: list[str] = []
    with server_handler(calls):
        with drained_first(lambda: calls.append("drain"), 5):
            pass
        signal.raise_signal(signal.SIGTERM)

    assert calls == ["end by SIGTERM"]


def test_a_server_in_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    during: list[object] = []

    def serve() -> None:
        with drained_first(lambda: None, 5):
            during.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()

    assert during == [before]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_serving_ends_the_process_without_failure(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as end, ended_by_signals():
        signal.raise_signal(number)

    assert end.value.code == 0


def test_a_signal_that_uvicorn_raises_again_at_its_end_is_no_failure() -> None:
    async def end_of_serving() -> None:
        signal.raise_signal(signal.SIGTERM)

    with ended_by_signals():
        asyncio.run(end_of_serving())


class Listener:
    """Stands for uvicorn: starts and ends an application and notes what it says."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self._asked = iter(["lifespan.startup", "lifespan.shutdown"])

    def run(self, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]]) -> None:
        app = Starlette(lifespan=lifespan, middleware=[Middleware(PlainStartErrors)])
        asyncio.run(app({"type": "lifespan", "state": {}}, self._receive, self._send))

    async def _receive(self) -> Message:
        return {"type": next(self._asked)}

    async def _send(self, message: Message) -> None:
        self.heard.append(message)


@asynccontextmanager
async def refused(_app: Starlette) -> AsyncIterator[None]:
    raise StartError("The database is newer than this program.")
    yield


@asynccontextmanager
async def broken(_app: Starlette) -> AsyncIterator[None]:
    raise RuntimeError("a defect")
    yield


@asynccontextmanager
async def healthy(_app: Starlette) -> AsyncIterator[None]:
    yield


def test_a_refused_start_is_told_in_its_own_words() -> None:
    listener = Listener()
    with pytest.raises(StartError):
        listener.run(refused)

    assert listener.heard == [
        {
            "type": "lifespan.startup.failed",
            "message": "The database is newer than this program.",
        }
    ]


def test_a_defect_at_start_keeps_its_traceback() -> None:
    listener = Listener()
    with pytest.raises(RuntimeError):
        listener.run(broken)

    (message,) = listener.heard
    assert message["type"] == "lifespan.startup.failed"
    assert "Traceback" in message["message"]


def test_a_healthy_start_and_end_pass_through() -> None:
    listener = Listener()
    listener.run(healthy)

    assert [message["type"] for message in listener.heard] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_server_on_a_socket_of_streamlits_making_sends_at_once() -> None:
    # As Streamlit makes it: without naming the protocol.
    with socket.socket(socket.AF_INET) as plain:
        plain.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(Starlette(), lifespan="off", log_level="error"))
        serving = asyncio.create_task(server._serve([plain]))
        try:
            await listening(server)
            before = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            send_at_once(server)
            after = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            server.should_exit = True
            await serving

    assert (before, bool(after)) == (0, True)
