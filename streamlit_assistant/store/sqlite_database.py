"""SQLite: one writer, a few readers.

SQLite allows one writer at a time. Writers queue here, in the process, where waiting is fair and
free, instead of at the file, where it is polling and can end in "database is locked".
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Engine,
    Float,
    QueuePool,
    create_engine,
    event,
    literal,
    make_url,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streamlit_assistant.errors import StartError
from streamlit_assistant.records import Clock
from streamlit_assistant.store.at_once import run_at_once
from streamlit_assistant.store.database import Database, T, Work, bring_up_to_date, options
from streamlit_assistant.store.sqlite_connection import connect

READERS = 4
POOL_TIMEOUT = 60  # seconds a request may wait for a reader
BUSY_TIMEOUT_MS = 5_000  # another process, or a backup, may hold the file for a moment


class SqliteDatabase(Database):
    """Connections to one SQLite file."""

    def __init__(self, url: str | URL, clock: Clock) -> None:
        """`url` is SQLAlchemy's, such as `sqlite+aiosqlite:////var/lib/site/assistant.db`."""
        super().__init__(_create_readers(url))
        self._clock = clock
        self._writer = _create_writer(url)
        self._thread = ThreadPoolExecutor(1, "database")
        self._turn = asyncio.Lock()  # of whoever writes

    async def open(self) -> None:
        """Create the tables or bring them up to this version; raise `StartError`."""
        try:
            await self._in_thread(self._bring_up_to_date)
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StartError(
                f"The database {self._writer.url.database} cannot be used ({cause}); "
                "restore it from a copy, or choose another DATA_DIR."
            ) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        self._writer.dispose()
        self._thread.shutdown()

    def now(self) -> ColumnElement[float]:
        """Return this process's time: all processes on the file are on one machine."""
        return literal(self._clock(), Float)

    async def lock(self, connection: AsyncConnection, number: int) -> None:
        """Do nothing: whoever writes is alone."""

    async def changes_by_others(self) -> int:
        """Return a number that is another one once another process has written."""
        async with self._turn:
            return int(await self._in_thread(self._data_version))

    async def _transact(self, work: Work[T]) -> T:
        async with self._turn:
            done: T = await self._in_thread(self._work, work)
            return done

    async def _in_thread(self, call: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    def _work(self, work: Work[T]) -> T:
        with self._writer.begin() as connection:
            return run_at_once(work, connection)

    def _bring_up_to_date(self) -> None:
        with self._writer.begin() as connection:
            bring_up_to_date(connection)

    def _data_version(self) -> int:
        # Asked of the writer: what it writes itself does not count.
        raw = self._writer.raw_connection()
        try:
            return int(raw.cursor().execute("PRAGMA data_version").fetchone()[0])
        finally:
            raw.close()


def _create_readers(url: str | URL) -> AsyncEngine:
    # Each statement sees one state, and opening and closing transactions around it would take
    # longer than the statement.
    engine = create_async_engine(
        url,
        connect_args={"async_creator_fn": connect},
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,
        **options(),
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    return engine


def _create_writer(url: str | URL) -> Engine:
    # Every transaction is ended before its connection goes back: there is nothing to roll back.
    engine = create_engine(
        make_url(url).set(drivername="sqlite"),
        connect_args={"check_same_thread": False},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_reset_on_return=None,
        **options(),
    )
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin_writing)
    return engine


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_connection(dbapi_connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: "begin" above says which kind.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
