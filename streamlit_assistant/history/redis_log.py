"""The messages of one session in a Redis."""

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import HistoryError, MessageRefused
from streamlit_assistant.history.redis_address import RedisAddress, RedisOptions, SessionKeys
from streamlit_assistant.history.redis_connection import acquired, released
from streamlit_assistant.history.redis_index import RedisIndex, tags_of
from streamlit_assistant.history.redis_scripts import (
    APPEND,
    CLEAR,
    DESCRIBE,
    LOOK,
    RECOUNT,
    REMOVE,
    Script,
)
from streamlit_assistant.history.redis_search import Filling, RedisSearch

logger = logging.getLogger(__name__)

_LARGEST = 512_000_000  # bytes of a text; Redis itself ends at 512 MiB
_REMOVED_AT_ONCE = 100
_BLOCKS_AT_ONCE = 8  # two milliseconds of the server's time


@dataclass(frozen=True)
class Sizes:
    """How much is done in one step."""

    block: int = 2048  # bytes of text
    look: int = 262_144  # bytes that one call looks through: half a millisecond
    unindexed: int = 8  # blocks that wait until they are described, all in one call
    catch_up: int = 32  # blocks that are described after a call beside those it has filled


_USUAL = RedisOptions()
_USUAL_SIZES = Sizes()


class RedisLog:
    """A session in a Redis; it vanishes `ttl` seconds after its last write.

    One step of a script writes a whole `append`. Making a log connects to nothing.
    """

    def __init__(
        self,
        session_id: str,
        address: RedisAddress,
        options: RedisOptions = _USUAL,
        sizes: Sizes = _USUAL_SIZES,
    ) -> None:
        """Options of the address count more than the others; raises `BadAddress`."""
        self._address = address
        self._options = address.over(options)
        self._sizes = sizes
        self._keys = SessionKeys.of(session_id, self._options)
        self._patience = self._options.patience
        self._connection = acquired(address, self._patience)
        self._index = self._connection.index(self._options)
        self._closed = False

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries at the end; see `MessageLog`."""
        if not entries:
            return
        written = [part for entry in entries for part in _written(entry)]
        index = self._ready_index()
        sizes = (self._options.lifetime, self._sizes.block)
        new = (uuid.uuid4().hex, self._keys.described)
        name, blocks, before, indexed = self._run(APPEND, *sizes, *new, *written)
        if index is not None:
            self._describe(Filling(name, blocks, indexed), blocks - before)

    def read(self) -> Sequence[str]:
        """Return the bodies of all messages, oldest first."""
        bodies = self._connection.call(self._patience, "LRANGE", self._keys.messages, 0, -1)
        return [body for body in bodies if body]

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        """Return at most `limit` bodies, newest first, whose folded text holds all words."""
        if not words or limit < 1:
            return []
        search = RedisSearch(lambda given: self._run(LOOK, *given), words, limit)
        index = self._ready_index()
        search.run(index.name if index else None, self._sizes.look)
        if index is not None:
            if search.failed:
                index.lost()
            if search.unknown:
                self._quietly(RECOUNT, self._keys.described)
            self._describe(search.filling, 0)
        return search.found

    def remove(self, keys: Collection[str]) -> None:
        """Remove these messages for good; see `MessageLog`."""
        names = list(keys)
        for first in range(0, len(names), _REMOVED_AT_ONCE):
            self._run(REMOVE, *names[first : first + _REMOVED_AT_ONCE])

    def clear(self) -> None:
        """Remove all messages; those that follow begin a new history."""
        # By name, so that clearing again after a failure spares what was written since.
        name = self._connection.call(self._patience, "HGET", self._keys.known, "\0gen")
        self._run(CLEAR, name or "", self._keys.described)

    def close(self) -> None:
        """Give back the connection."""
        if not self._closed:
            self._closed = True
            released(self._address, self._patience)

    def _run(self, script: Script, *arguments: Any) -> Any:
        return self._connection.run(script, self._keys.all, arguments, self._patience)

    def _ready_index(self) -> RedisIndex | None:
        return self._index if self._index and self._index.ready(self._patience) else None

    def _describe(self, filling: Filling, own: int) -> None:
        """Tell the engine of blocks that it does not know: as many as we filled, and a few more."""
        if filling.blocks - filling.indexed < self._sizes.unindexed:
            return
        last = min(filling.blocks, filling.indexed + own + self._sizes.catch_up)
        for first in range(filling.indexed, last, _BLOCKS_AT_ONCE):
            blocks = self._blocks(first, min(last, first + _BLOCKS_AT_ONCE))
            tags = [tags_of(block.partition("\0")[2]) for block in blocks]
            about = (filling.name, self._keys.described, first, *tags)
            if not tags or not self._quietly(DESCRIBE, *about):
                return  # somebody else does it, or the session was cleared

    def _blocks(self, first: int, end: int) -> Sequence[str]:
        try:
            return list(self._connection.call(0, "LRANGE", self._keys.blocks, first, end - 1))
        except HistoryError as error:
            logger.info("blocks are not described: %s", error)
            return []

    def _quietly(self, script: Script, *arguments: Any) -> Any:
        """Do what searches are quicker with; they find the same without it."""
        try:
            return self._connection.run(script, (self._keys.known,), arguments, 0)
        except HistoryError as error:
            logger.info("blocks are not described: %s", error)
            return None


def log_at(url: str, session_id: str) -> RedisLog:
    """Return the log of a session in the Redis at a URL, whose query may hold our options."""
    return RedisLog(session_id, RedisAddress.of(url))


def check_address(url: str) -> None:
    """Raise `BadAddress` or `MissingDriver` if no log can be opened at a URL."""
    log_at(url, "").close()


def _written(entry: Entry) -> tuple[str, bytes, bytes]:
    try:
        body = entry.body.encode()
    except UnicodeEncodeError as error:
        raise MessageRefused("a message must be Unicode text, as JSON is") from error
    # NUL ends a text within its block.
    text = entry.text.replace("\0", "\ufffd").encode("utf-8", "replace")
    if max(len(body), len(text)) > _LARGEST:
        raise MessageRefused("a message is larger than the 512 MB that Redis keeps in one piece")
    return entry.key, body, text
