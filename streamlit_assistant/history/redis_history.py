"""Chat histories in Redis."""

import os

from streamlit_assistant.history.redis_address import HOME, PATIENCE, RedisAddress, RedisOptions
from streamlit_assistant.history.redis_log import RedisLog
from streamlit_assistant.history.stored_history import StoredHistory


class RedisHistory(StoredHistory):
    """The messages of a session in a Redis of version 6 or later, or what speaks its language.

    With `ttl` the whole session vanishes that many seconds after its last write. Sessions under
    different `key_prefix` are strangers. Where the server has the query engine, long sessions are
    indexed under `index_name`, which is made from the prefix if it is not given; searches find the
    same without it, in a little more time.

    `redis_url` is REDIS_URL or this machine's Redis if it is not given. Options in its query, as in
    `redis://host:6379/0?ttl=3600`, count more than the arguments. A history connects when it is
    first used, and all histories of an address share their connections. It tries again for
    `patience` seconds while the server is away.
    """

    def __init__(
        self,
        session_id: str,
        redis_url: str | None = None,
        key_prefix: str = "chat:",
        ttl: float | None = None,
        index_name: str | None = None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        address = RedisAddress.of(redis_url or os.environ.get("REDIS_URL") or HOME)
        super().__init__(
            RedisLog(session_id, address, RedisOptions(key_prefix, ttl, index_name, patience))
        )
        self.session_id = session_id


def history_at(url: str, session_id: str) -> RedisHistory:
    """Return the history of a session in the Redis at a URL, whose query may hold our options."""
    return RedisHistory(session_id, url)
