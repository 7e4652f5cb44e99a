"""Redis histories under names of a test's own, so that all tests can share a server."""

from itertools import count
from typing import Any

from streamlit_assistant.history.redis_address import RedisAddress, RedisOptions, SessionKeys
from streamlit_assistant.history.redis_history import RedisHistory
from streamlit_assistant.history.redis_log import RedisLog, Sizes
from streamlit_assistant.history.stored_history import StoredHistory
from tests.redis_server import RedisServer

# So small that a few short messages fill blocks, take several calls, and are indexed.
TINY = Sizes(block=60, look=150, unindexed=2, catch_up=3)
_NUMBERS = count(1)


def new_prefix() -> str:
    """A key prefix that nobody else has."""
    return f"test{next(_NUMBERS)}:"


class RedisSessions:
    """The histories of one test in a Redis."""

    def __init__(self, server: RedisServer, sizes: Sizes | None = None, **options: Any) -> None:
        self.server = server
        self.options = {"key_prefix": new_prefix(), **options}
        self._sizes = sizes

    def history(self, session_id: str) -> StoredHistory:
        """A history of a session."""
        if self._sizes is None:
            return RedisHistory(session_id, self.server.url, **self.options)
        return StoredHistory(self.log(session_id))

    def log(self, session_id: str) -> RedisLog:
        """The log of a session."""
        address, options = RedisAddress.of(self.server.url), RedisOptions(**self.options)
        return RedisLog(session_id, address, options, self._sizes or Sizes())

    def keys(self, session_id: str) -> SessionKeys:
        """The names under which Redis keeps it."""
        return SessionKeys.of(session_id, RedisOptions(**self.options))

    def names(self) -> list[str]:
        """Everything that Redis keeps for this test."""
        with self.server.client() as client:
            return sorted(client.scan_iter(f"{self.options['key_prefix']}*", count=10_000))

    def calls(self, command: str) -> int:
        """How often a command was called since the server started."""
        with self.server.client() as client:
            stats: Any = client.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))
