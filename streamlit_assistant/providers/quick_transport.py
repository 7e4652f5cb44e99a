"""The connection to a model server, made for reading hundreds of streams of small pieces.

httpx's own reads through a layer that asks the system twice about each piece, and sets a timer and
a scope for it: that costs more than all that is done with a token. This one is asyncio's protocol
and nothing else. Pieces that follow each other faster than anybody can see are read together, which
divides the cost of everything behind it as well; the first ones never wait.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

TOGETHER_SECONDS = 0.02  # pieces that come within so long after a read are the next read
FIRST_READS = 3  # of an answer, which wait for nothing: its head, who speaks, the first word
MOST_WAITING = 256 * 1024  # bytes that may come before somebody reads them
IDLE_CONNECTIONS = 50  # kept open for the next answers
IDLE_SECONDS = 30.0

SocketOption = tuple[Any, ...]


class QuickTransport(httpx2.AsyncHTTPTransport):
    """As many connections as there are answers at a time; no proxies."""

    def __init__(self, *, is_encrypted: bool) -> None:
        # Not the parent's: it would load certificates that an address without TLS does not need.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context() if is_encrypted else None,
            max_connections=None,
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=QuickBackend(),
        )


class QuickBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection; raise `ConnectTimeout` or `ConnectError`."""
        loop = asyncio.get_running_loop()
        source = None if local_address is None else (local_address, 0)
        try:
            async with asyncio.timeout(timeout):
                _, protocol = await loop.create_connection(_Pieces, host, port, local_addr=source)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for option in socket_options or ():
            protocol.transport.get_extra_info("socket").setsockopt(*option)
        return QuickStream(protocol)

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts at connecting."""
        await asyncio.sleep(seconds)


class QuickStream(httpcore2.AsyncNetworkStream):
    """One connection."""

    def __init__(self, protocol: "_Pieces") -> None:
        self._protocol = protocol

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, b"" at the end; raise `ReadTimeout` or `ReadError`."""
        return await self._protocol.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send; raise `WriteTimeout` or `WriteError`."""
        if buffer:
            await self._protocol.write(buffer, timeout)

    async def aclose(self) -> None:
        """Hang up at once."""
        self._protocol.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Speak encrypted from here on; raise `ConnectTimeout` or `ConnectError`."""
        loop, protocol = asyncio.get_running_loop(), self._protocol
        try:
            async with asyncio.timeout(timeout):
                encrypted = await loop.start_tls(
                    protocol.transport, protocol, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            protocol.transport.abort()
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:  # those of TLS are among them
            protocol.transport.abort()
            raise httpcore2.ConnectError(str(error)) from error
        if encrypted is None:
            raise httpcore2.ConnectError("The connection was closed while TLS began.")
        protocol.transport = encrypted
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what the pool wants to know of an idle connection: whether it is still good."""
        if info == "is_readable":  # then the other side has closed it, or says what nobody asked
            return self._protocol.is_readable
        name = {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        return self._protocol.transport.get_extra_info(name)


class _Pieces(asyncio.Protocol):
    """What comes, until somebody reads it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._pieces = bytearray()
        self._news: asyncio.Future[bool] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_over = False
        self._is_paused = False
        self._error: Exception | None = None
        self._read_again_at = 0.0
        self._reads = 0  # of this answer

    @property
    def is_readable(self) -> bool:
        return self._is_over or bool(self._pieces)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._pieces += data
        if len(self._pieces) > MOST_WAITING:
            self._pause()
        self._tell(True)

    def eof_received(self) -> None:
        self._is_over = True
        self._tell(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._error = exc
        self._tell(True)
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def read(self, max_bytes: int, seconds: float | None) -> bytes:
        loop = asyncio.get_running_loop()
        if not self.is_readable:
            left = self._read_again_at - loop.time()
            if left > 0:
                self._pause()
                loop.call_later(left, self._resume)
            else:
                self._resume()
            if not await self._has_news(seconds):
                raise httpcore2.ReadTimeout("Nothing has come for too long.")
        self._reads += 1
        if self._reads >= FIRST_READS:
            self._read_again_at = loop.time() + TOGETHER_SECONDS
        if not self._pieces and self._error is not None:
            raise httpcore2.ReadError(str(self._error)) from self._error
        piece = bytes(self._pieces[:max_bytes])
        del self._pieces[:max_bytes]
        return piece

    async def write(self, data: bytes, seconds: float | None) -> None:
        if self._is_over:
            raise httpcore2.WriteError("The connection is closed.") from self._error
        self._reads, self._read_again_at = 0, 0.0  # what is asked for now is another answer
        self.transport.write(data)
        try:
            async with asyncio.timeout(seconds):
                await self._writable.wait()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error

    async def _has_news(self, seconds: float | None) -> bool:
        loop = asyncio.get_running_loop()
        news: asyncio.Future[bool] = loop.create_future()
        self._news = news
        timer = None if seconds is None else loop.call_later(seconds, self._tell, False)
        try:
            return await news
        finally:
            self._news = None
            if timer is not None:
                timer.cancel()

    def _tell(self, is_news: bool) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(is_news)

    def _pause(self) -> None:
        if not self._is_paused and not self._is_over:
            self._is_paused = True
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and not self._is_over:
            self._is_paused = False
            self.transport.resume_reading()
