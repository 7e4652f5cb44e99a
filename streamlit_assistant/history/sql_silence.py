"""An end to waiting for a PostgreSQL that has stopped to answer, and yet is there.

The network notices a host that is gone. A server that is frozen keeps its connections.
"""

import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

LONGEST = 1.0  # seconds without a word that nobody is blamed for, whatever the hour

_Talk = Generator[Any, Any, Any]


def end_silence(connection: Any, seconds_left: Callable[[], float], error: type[Exception]) -> None:
    """Make a psycopg connection raise `error` where no time is left and nothing comes any more."""
    connection.wait = partial(_wait, connection.wait, connection, seconds_left, error)


def _wait(
    wait: Callable[..., Any],
    connection: Any,
    seconds_left: Callable[[], float],
    error: type[Exception],
    talk: _Talk,
    *args: Any,
    **options: Any,
) -> Any:
    return wait(_bounded(talk, connection, seconds_left, error), *args, **options)


def _bounded(
    talk: _Talk, connection: Any, seconds_left: Callable[[], float], error: type[Exception]
) -> _Talk:
    """Hand on what psycopg wants to wait for, and what has come of it: 0 where nothing has."""
    heard_at = time.monotonic()
    try:
        wanted = next(talk)
        while True:
            ready = yield wanted
            if ready:
                heard_at = time.monotonic()
            elif seconds_left() <= 0 and time.monotonic() - heard_at > LONGEST:
                connection.pgconn.finish()  # or it would be asked to end its transaction
                raise error("the server does not answer")
            wanted = talk.send(ready)
    except StopIteration as end:
        return end.value
