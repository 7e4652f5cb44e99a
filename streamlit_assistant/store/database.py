"""The database: what every kind of it can do, and the schema brought up to date on opening."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from streamlit_assistant.errors import StartError
from streamlit_assistant.json_text import to_json
from streamlit_assistant.store.migrations import HEAD
from streamlit_assistant.store.schema import metadata

_MIGRATE = "streamlit_assistant.store.migrate"

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

# What else every transaction of the request being served has to write, whatever it is about.
ALONGSIDE: ContextVar[Work[None] | None] = ContextVar("alongside", default=None)


class Database(ABC):
    """Connections to one database. `open` before use, `close` at the end."""

    is_shared = False  # whether other machines may use it as well
    writers = 0  # how many transactions of others in this process may overlap one

    def __init__(self, readers: AsyncEngine) -> None:
        """`readers` give connections that open no transactions."""
        self._readers = readers

    @abstractmethod
    async def open(self) -> None:
        """Create the tables or bring them up to this version; raise `StartError`."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""

    @abstractmethod
    def now(self) -> ColumnElement[float]:
        """Return the time that all processes agree on, in seconds, as an expression."""

    @abstractmethod
    async def lock(self, connection: AsyncConnection, number: int) -> None:
        """Let others that ask for the same number wait until this transaction is over."""

    @abstractmethod
    async def _transact(self, work: Work[T]) -> T: ...

    async def change(self, statement: Executable) -> int:
        """Execute one statement that must not wait for the locks of others; return its rows."""

        async def change(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._transact(change)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection of whose statements each sees one consistent state."""
        async with self._readers.connect() as connection:
            yield connection

    async def transact(self, work: Work[T]) -> T:
        """Do work in one transaction, all or nothing.

        `work` awaits its connection and nothing else, and changes nothing but the database: where
        two transactions get into each other's way, one of them is done again.
        """
        alongside = ALONGSIDE.get()
        if alongside is None:
            return await self._transact(work)
        noted = alongside

        async def both(connection: AsyncConnection) -> T:
            done = await work(connection)
            await noted(connection)
            return done

        return await self._transact(both)


def options() -> dict[str, Any]:
    """Return what all engines have in common."""
    return {
        "json_serializer": to_json,
        "hide_parameters": True,  # an error of the database must not put a message into the log
    }


def bring_up_to_date(connection: Connection) -> None:
    """Create the tables or migrate them, in the caller's transaction; raise `StartError`."""
    tables = inspect(connection).get_table_names()
    if not tables:
        # What the migrations lead to, without loading what applies them; a test compares the two.
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    elif (revision := _current_revision(connection)) is not None and revision > HEAD:
        raise StartError(
            f"The database was made by a newer version (schema {revision}, this version knows "
            f"{HEAD}); install that version again, or choose another DATA_DIR or DATABASE_URL."
        )
    elif revision != HEAD:
        # Loaded only when there is something to do: most starts find the schema as it should be.
        importlib.import_module(_MIGRATE).upgrade(connection)


def _current_revision(connection: Connection) -> str | None:
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
