"""The least that can stand between a model server and a client: reads tokens, writes events.

No storage, no accounts, one follower for each answer. What it takes is what no server can save.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.upstream import module_process

DATA = b"data: "


class Relay:
    """Answers a request with the tokens of the model server, each as an event."""

    def __init__(self, model_url: str) -> None:
        self._model = urlsplit(model_url)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        body = await _read_body(reader)
        if body is None:  # somebody who only wanted to know whether it listens
            writer.close()
            return
        content = body["thread"]["messages"][0]["content"]
        asked = json.dumps({"messages": [{"role": "user", "content": content}], "stream": True})
        upstream, to_upstream = await asyncio.open_connection(
            self._model.hostname, self._model.port
        )
        head = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(asked)}\r\n\r\n"
        to_upstream.write((head + asked).encode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        number = 0
        async for line in upstream:
            if not line.startswith(DATA):
                continue
            if line.startswith(b"data: [DONE]"):
                break
            number += 1
            text = json.loads(line[len(DATA) :])["choices"][0]["delta"]["content"]
            writer.write(_event(number, text))
        writer.write(b"event: done\ndata: [DONE]\n\n")
        for each in (writer, to_upstream):
            each.close()


def _event(number: int, text: str) -> bytes:
    content = [{"index": 0, "type": "text", "text": {"value": text}}]
    delta = {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": content}}
    return f"id: {number}\nevent: thread.message.delta\ndata: {json.dumps(delta)}\n\n".encode()


async def _read_body(reader: asyncio.StreamReader) -> Any:
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(await reader.readexactly(length)) if length else None


@contextmanager
def relay_process(port: int, model_url: str) -> Iterator[int]:
    """Serve from a process of its own; gives its number."""
    with module_process("tests.bench.relay", port, "--model", model_url) as number:
        yield number


async def serve(port: int, model_url: str) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(Relay(model_url), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.model))
