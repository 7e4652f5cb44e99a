"""Blobs: the bytes of files under the hash of their content, the same content once.

On one machine they lie in a folder (`folder_blobs.py`); where several machines share a database
they lie in that (`shared_blobs.py`). Either way who keeps bytes for a row and who removes bytes of
no row exclude each other, and bytes are in their place before their row is: what is killed leaves
bytes without a row, which housekeeping removes, never a row without bytes.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

PIECE_BYTES = 1024 * 1024  # what is written, hashed or read at once
DRAFT_SECONDS = 24 * 3600  # after which a draft is nobody's: its process must have been killed


class TooLarge(Exception):
    """More bytes came than may be received."""


class Draft(Protocol):
    """Received bytes that belong to nobody yet: to be kept or discarded."""

    @property
    def sha256(self) -> str:
        """The hash of all of them."""
        ...

    @property
    def bytes(self) -> int:
        """How many there are."""
        ...

    def kept(self) -> AbstractAsyncContextManager[int | None]:
        """Have the bytes in their place while the block inserts the row that refers to them.

        The block gets the `blob` that its transaction has to name; None where that is not needed.
        """
        ...

    async def discard(self) -> None:
        """Remove the bytes, if they were not kept."""
        ...


class Blobs(Protocol):
    """Where the bytes are. `open` before use."""

    async def open(self) -> None:
        """Make ready for use; raise `StartError`."""
        ...

    async def receive(self, pieces: AsyncIterator[bytes], most_bytes: int) -> Draft:
        """Write a stream to a draft; raise `TooLarge` beyond `most_bytes`.

        Whatever ends it early, the caller's cancellation included, leaves no draft behind.
        """
        ...

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces, to their end even if they are removed after the first.

        Raises `FileNotFoundError`, as whoever uses what is `located` may have to.
        """
        ...

    def located(self, sha256: str) -> AbstractAsyncContextManager[Path]:
        """Have the bytes in a file of this machine for as long as the block lasts."""
        ...

    async def forget(self, hashes: Collection[str]) -> None:
        """Remove the bytes that no row refers to; who still reads them reads to their end."""
        ...

    async def keep_house(self) -> None:
        """Remove what killed processes have left."""
        ...


class Rows(Protocol):
    """Knows which bytes are needed."""

    async def unused(self, hashes: Collection[str]) -> list[str]:
        """Return those of the hashes that no row refers to."""
        ...


async def limited(pieces: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[bytes]:
    """Pass a stream on; raise `TooLarge` once it has more than `most_bytes`."""
    came = 0
    async for piece in pieces:
        came += len(piece)
        if came > most_bytes:
            raise TooLarge
        yield piece


async def gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join and cut a stream to pieces of `PIECE_BYTES`, the last one perhaps shorter."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    if waiting:
        yield bytes(waiting)
