"""Transactions in one go: written as coroutines, run to their end in the database's thread.

Between statements the event loop would otherwise be crossed twice, and while it has other work the
one writer would be kept waiting. Such a coroutine may await its connection and nothing else.
"""

from typing import Any, cast

from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Executable

from streamlit_assistant.store.database import T, Work


class AtOnce:
    """Executes where it is called: what awaits it never waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute a statement and return its result, like an `AsyncConnection`."""
        return self._connection.execute(statement, parameters)


def run_at_once(work: Work[T], connection: Connection) -> T:
    """Run work to its end on a connection of this thread."""
    steps = work(cast("AsyncConnection", AtOnce(connection))).__await__()
    try:
        next(steps)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("a transaction in one go waited for something else than its connection")
