"""The connection to a model server, to a real socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore2
import httpx2
import pytest

from streamlit_assistant.providers import quick_transport
from streamlit_assistant.providers.quick_transport import QuickTransport

TLS = Path(__file__).parent / "tls"  # made for localhost, for a hundred years
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections; the block gets the port."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def client(transport: QuickTransport | None = None, **options: object) -> httpx2.AsyncClient:
    made = transport or QuickTransport(is_encrypted=False)
    return httpx2.AsyncClient(transport=made, **options)  # type: ignore[arg-type]


async def test_pieces_that_follow_each_other_are_read_together_and_the_first_at_once() -> None:
    pieces = [f"data: {n}\n\n".encode() for n in range(40)]
    first_is_read = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunked(pieces[0]))
        await first_is_read.wait()  # else nothing more would ever come
        for piece in pieces[1:]:
            writer.write(chunked(piece))
            await asyncio.sleep(0.001)
        writer.write(b"0\r\n\r\n")
        writer.close()

    read = []
    async with (
        listening(answer) as port,
        client() as http,
        http.stream("GET", f"http://127.0.0.1:{port}/") as response,
    ):
        async for piece in response.aiter_raw():
            read.append(piece)
            first_is_read.set()

    assert b"".join(read) == b"".join(pieces)
    assert read[0] == pieces[0]


async def test_more_than_is_read_waits_at_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_transport, "MOST_WAITING", 1_000)
    body = bytes(range(256)) * 40_000
    sent = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        sent.set()
        writer.close()

    async with (
        listening(answer) as port,
        client() as http,
        http.stream("GET", f"http://127.0.0.1:{port}/") as response,
    ):
        await asyncio.sleep(0.2)
        was_held_back = not sent.is_set()
        received = b"".join([piece async for piece in response.aiter_raw()])

    assert was_held_back
    assert received == body


async def test_a_large_request_arrives_whole() -> None:
    body = b"x" * 5_000_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came = await reader.readexactly(len(body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + b"ok" * (came == body))
        writer.close()

    async with listening(answer) as port, client() as http:
        assert (await http.post(f"http://127.0.0.1:{port}/", content=body)).text == "ok"


async def test_what_is_encrypted_is_read_as_well_and_the_name_is_checked() -> None:
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    trusting = ssl.create_default_context(cafile=str(TLS / "certificate.pem"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()

    transport = QuickTransport(is_encrypted=True)
    transport._pool._ssl_context = trusting
    async with listening(answer, served) as port:
        async with client(transport) as http:
            assert (await http.get(f"https://localhost:{port}/")).text == "secret"
        async with client(QuickTransport(is_encrypted=True)) as careful:
            with pytest.raises(httpx2.ConnectError, match="certificate"):
                await careful.get(f"https://localhost:{port}/")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", httpx2.RemoteProtocolError),
        (HEAD + b"5\r\nhal", httpx2.RemoteProtocolError),
        (b"nonsense\r\n\r\n", httpx2.RemoteProtocolError),
    ],
)
async def test_an_answer_that_breaks_off_is_an_error(
    said: bytes, error: type[httpx2.HTTPError]
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with listening(answer) as port, client() as http:
        with pytest.raises(error):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_a_connection_that_is_reset_is_a_read_error() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        await asyncio.sleep(0.05)
        writer.transport.get_extra_info("socket").setsockopt(
            1,
            13,
            b"\1\0\0\0\0\0\0\0",  # SO_LINGER: hang up without a word
        )
        writer.transport.abort()

    async with listening(answer) as port, client() as http:
        with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_nobody_there_is_a_connect_error_and_silence_a_timeout() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(answer) as port, client(timeout=0.1) as http:
        with pytest.raises(httpx2.ReadTimeout):
            await http.get(f"http://127.0.0.1:{port}/")
    async with client() as http:
        with pytest.raises(httpx2.ConnectError):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_a_connection_is_used_again_unless_the_server_has_closed_it() -> None:
    connections = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with listening(answer) as port, client() as http:
        for _ in range(4):
            assert (await http.get(f"http://127.0.0.1:{port}/")).text == "ok"
            await asyncio.sleep(0.05)

    assert len(connections) == 2


async def test_hanging_up_reaches_the_server_at_once() -> None:
    hung_up = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunked(b"data: 1\n\n"))
        await reader.read()
        hung_up.set()
        writer.close()

    async with listening(answer) as port, client() as http:
        async with http.stream("GET", f"http://127.0.0.1:{port}/") as response:
            await anext(response.aiter_raw())
        await asyncio.wait_for(hung_up.wait(), 5)


async def test_more_answers_at_a_time_than_the_library_would_allow() -> None:
    most = 150
    everybody = asyncio.Event()
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(writer)
        if len(asked) == most:
            everybody.set()
        await everybody.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with listening(answer) as port, client(timeout=30) as http:
        answers = await asyncio.gather(
            *(http.get(f"http://127.0.0.1:{port}/") for _ in range(most))
        )

    assert {each.text for each in answers} == {"ok"}


async def test_writing_to_a_closed_connection_is_a_write_error() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(answer) as port:
        stream = await quick_transport.QuickBackend().connect_tcp("127.0.0.1", port)
        assert await stream.read(10) == b""
        with pytest.raises(httpcore2.WriteError):
            await stream.write(b"hello")
        await stream.aclose()
