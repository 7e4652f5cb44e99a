"""A request's body, hashed as it passes, so that none of it has to be kept to know it again."""

import hashlib

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

MOST_READ = 1024 * 1024 * 1024  # bytes; nothing larger is ever accepted


class HashedBody:
    """Stands in for the `receive` of a request.

    Forms are hashed without their boundary: clients make a new one up with every attempt.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._hash = _FormHash(_boundary(scope))
        self._read = 0
        self._is_open = True
        self._sha256: str | None = None

    @property
    def sha256(self) -> str | None:
        """The hash, once all has been read."""
        return self._sha256

    async def receive(self) -> Message:
        """Return the next piece, or whatever else is to be received."""
        message = await self._receive()
        if message["type"] != "http.request":
            self._is_open = False
        elif self._is_open:
            piece = message.get("body", b"")
            self._read += len(piece)
            self._hash.update(piece)
            if not message.get("more_body", False):
                self._is_open = False
                self._sha256 = self._hash.hexdigest()
        return message

    async def read_out(self, keep: int = 0) -> bytes:
        """Read what is left; return it if it has at most `keep` bytes."""
        kept = bytearray()
        while self._is_open and self._read <= MOST_READ:
            message = await self.receive()
            if self._read <= keep:
                kept += message.get("body", b"")
        return bytes(kept) if self._read <= keep else b""


class _FormHash:
    """SHA-256 of what is written, wherever it is cut, without the occurrences of some bytes."""

    def __init__(self, left_out: bytes) -> None:
        self._hash = hashlib.sha256()
        self._left_out = left_out
        self._held = b""  # what an occurrence may have begun with

    def update(self, piece: bytes) -> None:
        """Write the next piece."""
        if not self._left_out:
            self._hash.update(piece)
            return
        *whole, last = (self._held + piece).split(self._left_out)
        for part in whole:
            self._hash.update(part)
        sure = max(len(last) - len(self._left_out) + 1, 0)
        self._hash.update(last[:sure])
        self._held = last[sure:]

    def hexdigest(self) -> str:
        """Return the hash of all, after which nothing more can be written."""
        self._hash.update(self._held)
        return self._hash.hexdigest()


def _boundary(scope: Scope) -> bytes:
    kind, options = parse_options_header(Headers(scope=scope).get("content-type", ""))
    return options.get(b"boundary", b"") if kind.startswith(b"multipart/") else b""
