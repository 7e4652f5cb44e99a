"""A client that takes hardly any time: of a stream it reads the tokens, and nothing else."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.bench.fast_model import LAST_TOKENS, TOKEN

BUFFER = 1 << 16


@dataclass(frozen=True)
class Token:
    """One word of the fast model, and when it was where; seconds since 1970."""

    number: int
    sent: float
    came: float

    @property
    def delay(self) -> float:
        """How long it took."""
        return self.came - self.sent


async def read_tokens(url: str, key: str, body: object = None) -> AsyncIterator[Token]:
    """Yield the tokens of a stream as they come; with a body it is asked for by POST."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write(_request(where.netloc, where.path, key, body))
        tail, last = b"", 0
        while data := await reader.read(BUFFER):
            came = time.time()
            text = tail + data
            for found in TOKEN.finditer(text):
                # What ends an answer repeats the whole of it.
                if int(found[1]) == last + 1:
                    last += 1
                    yield Token(last, float(found[2]), came)
            if b"event: done" in text or b"event: error" in text:
                return
            tail = text[-LAST_TOKENS:]
    finally:
        writer.close()


def while_all_go_on(each: Sequence[Sequence[Token]]) -> list[list[Token]]:
    """Leave out what was sent before the last answer had begun, or after the first had ended."""
    first, last = max(tokens[0].sent for tokens in each), min(tokens[-1].sent for tokens in each)
    return [[token for token in tokens if first <= token.sent <= last] for tokens in each]


def _request(host: str, path: str, key: str, body: object) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = [
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
        f"host: {host}",
        f"authorization: Bearer {key}",
        "content-type: application/json",
        f"content-length: {len(content)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


def order(count: int, rate: float | None = None) -> dict[str, object]:
    """Return the body of a run, streamed, on a new thread: so many tokens, so many a second."""
    speed = "" if rate is None else f" at {rate:g} per second"
    message = {"role": "user", "content": f"count to {count}{speed}"}
    return {"assistant_id": "asst_default", "stream": True, "thread": {"messages": [message]}}
