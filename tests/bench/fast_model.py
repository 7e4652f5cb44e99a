"""A model server that takes hardly any time, so that what is measured is the site's.

Told to `count to 300 at 20 per second`, it says `t1@TIME t2@TIME ...`, each with the time it is
sent. It knows no more of HTTP than it needs. `GET /hung_up` gives the times at which answers were
given up by whoever had asked for them.
"""

import argparse
import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.upstream import module_process

TOKEN = re.compile(rb"t(\d+)@(\d+\.\d+) ")
LAST_TOKENS = 64  # bytes in which a token may be cut off
_ORDER = re.compile(rb"count to (\d+)(?: at (\d+(?:\.\d+)?) per second)?")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n"
_CHUNK = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":0,"model":"fast",'
    '"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
)


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, hung_up: list[float]) -> None:
        self._hung_up = hung_up
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop talking, and note when."""
        if self._next is not None:
            self._next.cancel()
            self._hung_up.append(time.time())

    def data_received(self, data: bytes) -> None:
        """Answer a request once all of it is there."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        self._received = b""
        if head.startswith(b"POST"):
            self._begin(body)
        elif b"/hung_up" in head.partition(b"\r\n")[0]:
            self._send_json(self._hung_up)
        else:
            self._send_json({"object": "list", "data": [{"id": "fast", "object": "model"}]})

    def _begin(self, body: bytes) -> None:
        orders = _ORDER.findall(body)
        count, rate = orders[-1] if orders else (b"1", b"")
        self._write(_HEAD % (b"text/event-stream", b"transfer-encoding: chunked\r\n"))
        loop = asyncio.get_running_loop()
        self._say(1, int(count), float(rate) if rate else None, loop.time())

    def _say(self, number: int, count: int, rate: float | None, began: float) -> None:
        while number <= count:
            self._write_chunk(_CHUNK % (f"t{number}@{time.time():.6f} ", "null"))
            number += 1
            if rate:
                # Against the clock: being late must not add up.
                due, loop = began + (number - 1) / rate, asyncio.get_running_loop()
                self._next = loop.call_at(due, self._say, number, count, rate, began)
                return
        self._next = None
        self._write_chunk(_CHUNK % ("", '"stop"') + "data: [DONE]\n\n")
        self._write(b"0\r\n\r\n")

    def _send_json(self, value: object) -> None:
        content = json.dumps(value).encode()
        length = b"content-length: %d\r\n" % len(content)
        self._write(_HEAD % (b"application/json", length) + content)

    def _write_chunk(self, text: str) -> None:
        data = text.encode()
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


async def serve(port: int) -> None:
    """Serve until killed."""
    hung_up: list[float] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(hung_up), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


@contextmanager
def fast_model_process(port: int) -> Iterator[str]:
    """Serve from a process of its own; gives its base URL."""
    with module_process("tests.bench.fast_model", port):
        yield f"http://127.0.0.1:{port}/v1"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
