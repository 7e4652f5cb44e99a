"""The connections to a Redis: one pool for each address in a process, patience, and its errors."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import (
    BadAddress,
    HistoryError,
    HistoryUnavailable,
)
from streamlit_assistant.history.redis_address import RedisAddress, RedisOptions
from streamlit_assistant.history.redis_index import RedisIndex
from streamlit_assistant.history.redis_scripts import Script
from streamlit_assistant.history.shared import Shared

T = TypeVar("T")

_MOST_CONNECTIONS = 16  # of one pool; threads beyond wait for each other
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 5.0  # seconds for one answer
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds between tries


class RedisConnection:
    """What all logs of an address share. It connects when it is first used."""

    def __init__(self, address: RedisAddress, wait: float) -> None:
        self._redis = driver("redis", "redis")
        self._where = address.where
        self._database = address.database
        self._client = self._redis.Redis.from_pool(_pool(self._redis, address, wait))
        self._indexes: dict[tuple[str, str], RedisIndex] = {}

    def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Any], patience: float
    ) -> Any:
        """Run a script, again and again while the server is away; see `call`."""

        def run() -> Any:
            try:
                return self._client.evalsha(script.sha, len(keys), *keys, *arguments)
            except self._redis.exceptions.NoScriptError:
                return self._client.eval(script.text, len(keys), *keys, *arguments)

        return self._patiently(run, patience)

    def call(self, patience: float, *command: Any) -> Any:
        """Return the answer to a command; raise `HistoryUnavailable` if it is not to be had."""
        return self._patiently(lambda: self._client.execute_command(*command), patience)

    def index(self, options: RedisOptions) -> RedisIndex | None:
        """Return the search index of these options; None where there cannot be one."""
        if self._database != 0:
            return None  # the query engine knows database 0 only
        names = options.index, options.indexed_prefix
        return self._indexes.setdefault(names, RedisIndex(self.call, *names))

    def close(self) -> None:
        """Close all connections."""
        self._client.connection_pool.disconnect()

    def _patiently(self, operation: Callable[[], T], patience: float) -> T:
        started = time.monotonic()
        try:
            try:
                return operation()
            except self._redis.exceptions.RedisError as error:
                if not self._will_pass(error) or not patience:
                    raise
            left = max(0.0, patience - (time.monotonic() - started))
            again = Retrying(
                retry=retry_if_exception(self._will_pass),
                stop=stop_after_delay(left),
                wait=wait_exponential_jitter(
                    max=_LONGEST_PAUSE, jitter=_FIRST_PAUSE, multiplier=_FIRST_PAUSE
                ),
                reraise=True,
            )
            return again(operation)
        except self._redis.exceptions.RedisError as error:
            raise self._translated(error) from error

    def _will_pass(self, error: BaseException) -> bool:
        known = self._redis.exceptions
        refused = known.AuthenticationError, known.AuthorizationError
        passing = (
            *(known.ConnectionError, known.TimeoutError, known.BusyLoadingError),
            *(known.TryAgainError, known.ClusterDownError),
        )
        return isinstance(error, passing) and not isinstance(error, refused)

    def _translated(self, error: Exception) -> HistoryError:
        known, text = self._redis.exceptions, str(error)
        if self._will_pass(error):
            return HistoryUnavailable(f"{self._where} does not answer: {text}")
        refused = known.AuthenticationError | known.AuthorizationError
        # A long command is cut off before the server gets to say what it lacks.
        if isinstance(error, refused) or "unauthenticated" in text:
            return HistoryError(f"{self._where} does not accept the user name or password")
        if isinstance(error, known.NoPermissionError):
            return HistoryError(f"{self._where} does not allow this user what histories need")
        if isinstance(error, known.OutOfMemoryError) or "OOM " in text:
            return HistoryUnavailable(f"{self._where} has no memory left (maxmemory)")
        if isinstance(error, known.ReadOnlyError) or "READONLY" in text:
            return HistoryUnavailable(f"{self._where} is a copy that cannot be written to")
        if "WRONGTYPE" in text:
            return HistoryError(f"{self._where} keeps something else under this session's names")
        return HistoryError(f"{self._where} cannot do this: {text}")


def _pool(redis: Any, address: RedisAddress, wait: float) -> Any:
    # Its own tries are off: they and ours would multiply.
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    try:
        pool = redis.BlockingConnectionPool.from_url(
            address.url,
            decode_responses=True,
            encoding_errors="replace",
            retry=retry,
            socket_timeout=wait,
            socket_connect_timeout=wait,
            timeout=wait,
            max_connections=_MOST_CONNECTIONS,
        )
        pool.connection_class(**pool.connection_kwargs)  # refuses what it cannot use; connects not
    except (TypeError, ValueError, redis.exceptions.RedisError) as error:
        # Not the driver's words: nobody knows what of the URL they show.
        raise BadAddress(f"an option in the address of {address.where} is wrong") from error
    return pool


def _wait(patience: float) -> float:
    return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, patience / 2))


CONNECTIONS: Shared[RedisConnection] = Shared(RedisConnection, RedisConnection.close)


def acquired(address: RedisAddress, patience: float) -> RedisConnection:
    """Return the connection to an address, which all who are as patient share."""
    return CONNECTIONS.acquire(address, _wait(patience))


def released(address: RedisAddress, patience: float) -> None:
    """Give it back."""
    CONNECTIONS.release(address, _wait(patience))
