"""The database: one writer, a few readers, the schema brought up to date on opening.

SQLite allows one writer at a time. Writers queue here, in the process, where waiting is fair and
free, instead of at the file, where it is polling and can end in "database is locked".
"""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL, Engine, QueuePool, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streamlit_assistant.errors import StartError
from streamlit_assistant.store.at_once import T, Work, run_at_once
from streamlit_assistant.store.file_tables import metadata
from streamlit_assistant.store.migrations import HEAD
from streamlit_assistant.store.sqlite_connection import connect

_MIGRATE = "streamlit_assistant.store.migrate"
READERS = 4
BUSY_TIMEOUT_MS = 5_000  # another program, such as a backup, may hold the file for a moment


class Database:
    """Connections to one SQLite file. `open` before use, `close` at the end."""

    def __init__(self, url: str | URL) -> None:
        """`url` is SQLAlchemy's, such as `sqlite+aiosqlite:////var/lib/site/assistant.db`."""
        # Every transaction is ended before its connection goes back: there is nothing to roll back.
        self._writer = _create_engine(url, pool_size=1, pool_reset_on_return=None)
        event.listen(self._writer.sync_engine, "begin", _begin_writing)
        self._hurried = _create_hurried_engine(url)
        self._thread = ThreadPoolExecutor(1, "database")
        self._turn = asyncio.Lock()  # of whoever writes
        # Each statement sees one state, and opening and closing transactions around it would take
        # longer than the statement.
        self._readers = _create_engine(
            url,
            pool_size=READERS,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
        )

    async def open(self) -> None:
        """Create the tables or bring them up to this version; raise `StartError`."""
        try:
            async with self._writer.begin() as connection:
                await connection.run_sync(_migrate)
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StartError(
                f"The database {self._writer.url.database} cannot be used ({cause}); "
                "restore it from a copy, or choose another DATA_DIR."
            ) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        await self._writer.dispose()
        self._hurried.dispose()
        self._thread.shutdown()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection of whose statements each sees one consistent state."""
        async with self._readers.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give the writing connection in a transaction: committed at the end, or rolled back."""
        async with self._turn, self._writer.begin() as connection:
            yield connection

    async def transact(self, work: Work[T]) -> T:
        """Do the same in one go; `work` may await its connection and nothing else."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Work[T]) -> T:
        with self._hurried.begin() as connection:
            return run_at_once(work, connection)


def _create_engine(url: str | URL, **options: Any) -> AsyncEngine:
    engine = create_async_engine(
        url, connect_args={"async_creator_fn": connect}, **_options(), **options
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    return engine


def _create_hurried_engine(url: str | URL) -> Engine:
    engine = create_engine(
        make_url(url).set(drivername="sqlite"),
        connect_args={"check_same_thread": False},
        poolclass=QueuePool,
        pool_size=1,
        pool_reset_on_return=None,
        **_options(),
    )
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin_writing)
    return engine


def _options() -> dict[str, Any]:
    return {
        "max_overflow": 0,
        "pool_timeout": 60,
        "json_serializer": _to_json,
        "hide_parameters": True,  # an error of the database must not put a message into the log
    }


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_connection(dbapi_connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: "begin" above says which kind.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _to_json(value: object) -> str:
    # Readable text for every language, and no byte more than needed.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _migrate(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if not tables:
        # What the migrations lead to, without loading what applies them; a test compares the two.
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    elif (revision := _current_revision(connection)) is not None and revision > HEAD:
        raise StartError(
            f"The database was made by a newer version (schema {revision}, this version knows "
            f"{HEAD}); install that version again, or choose another DATA_DIR."
        )
    elif revision != HEAD:
        # Loaded only when there is something to do: most starts find the schema as it should be.
        importlib.import_module(_MIGRATE).upgrade(connection)


def _current_revision(connection: Connection) -> str | None:
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
