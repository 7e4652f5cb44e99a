"""PostgreSQL: the database of several processes, on one machine or many.

Transactions see what is committed (READ COMMITTED); what one reads in order to write, it locks.
"""

import importlib
import logging
import time
from collections.abc import Awaitable
from functools import partial
from typing import Any

from sqlalchemy import URL, ColumnElement, Executable, Float, cast, event, func, make_url, text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from streamlit_assistant.errors import StartError
from streamlit_assistant.store.database import Database, T, Work, bring_up_to_date, options

READERS, WRITERS = 5, 5  # connections a process; PostgreSQL allows 100 unless told otherwise
POOL_TIMEOUT = 30  # seconds a request may wait for a connection
CONNECT_TIMEOUT = 10
ATTEMPTS = 6  # at a transaction that others get into the way of
MIGRATING = 0x5A4D  # the advisory lock of whoever changes the schema
# Serialization failure, deadlock, and too long a pause in the middle: SQLSTATE. None was committed.
_IN_THE_WAY = ("40001", "40P01", "25P03")
# A process that is stopped in the middle must not keep its locks.
_OPTIONS = "-c idle_in_transaction_session_timeout=10s"
FRESH_SECONDS = 3.0  # what was used so lately is believed to be connected still
# A server that vanished without a word is noticed within half a minute, whoever waits for it.
KEEP_ALIVE = {
    **{"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"},
    "tcp_user_timeout": "25000",
}
_LOCK = text("SELECT pg_advisory_xact_lock(:number)")
_DRIVER = "postgresql+psycopg"

logger = logging.getLogger(__name__)


class PostgresDatabase(Database):
    """Pools of connections to one PostgreSQL database."""

    is_shared = True
    writers = WRITERS

    def __init__(self, url: str | URL) -> None:
        """`url` is `postgresql://user:password@host/database`; without driver: `StartError`."""
        self.url = make_url(url).set(drivername=_DRIVER)
        super().__init__(_create_engine(self.url, READERS, isolation_level="AUTOCOMMIT"))
        self._writers = _create_engine(self.url, WRITERS)

    async def open(self) -> None:
        """Create the tables or bring them up to this version; raise `StartError`."""
        try:
            async with self._writers.begin() as connection:
                await self.lock(connection, MIGRATING)
                await connection.run_sync(bring_up_to_date)
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            where = f"{self.url.host or 'localhost'}/{self.url.database or ''}"
            raise StartError(
                f"DATABASE_URL: the PostgreSQL database {where} cannot be used ({cause}); "
                "see that it runs, that it exists, and that name and password are right."
            ) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        await self._writers.dispose()

    def now(self) -> ColumnElement[float]:
        """Return the server's time: the machines' own may differ."""
        return cast(func.extract("epoch", func.clock_timestamp()), Float(53))

    async def lock(self, connection: AsyncConnection, number: int) -> None:
        """Take an advisory lock, which the end of the transaction frees."""
        await connection.execute(_LOCK, {"number": number})

    async def change(self, statement: Executable) -> int:
        """Execute one statement where no transaction waits for another's locks."""
        async with self.read() as connection:
            return (await connection.execute(statement)).rowcount

    async def _transact(self, work: Work[T]) -> T:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_is_in_the_way),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.01, max=0.5),
            reraise=True,
        ):
            with attempt:
                async with self._writers.begin() as connection:
                    return await _awaited(work(connection))
        raise AssertionError("a transaction neither succeeded nor failed")


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _is_in_the_way(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") in _IN_THE_WAY


def _create_engine(url: URL, size: int, **more: Any) -> AsyncEngine:
    try:
        engine = create_async_engine(
            url,
            pool_size=size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT,
                "options": _options(url),
                **KEEP_ALIVE,
            },
            **options(),
            **more,
        )
    except ModuleNotFoundError as error:
        raise StartError(
            "DATABASE_URL names a PostgreSQL database, but its driver is not installed; "
            "install it with: pip install -e '.[postgresql]'"
        ) from error
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", partial(_ensure_connected, engine.dialect))
    return engine


def _options(url: URL) -> str:
    theirs = url.query.get("options", "")  # such as the schema; the address has the last word
    return " ".join([_OPTIONS, *([theirs] if isinstance(theirs, str) else theirs)]).strip()


def _prepare_connection(dbapi_connection: Any, _record: object) -> None:
    # Loaded here, where the driver is known to be installed.
    dumper = importlib.import_module("streamlit_assistant.store.postgres_text").NulFreeDumper
    dbapi_connection.driver_connection.adapters.register_dumper(str, dumper)


def _note_use(_dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ensure_connected(
    dialect: Dialect, dbapi_connection: Any, record: ConnectionPoolEntry, _proxy: object
) -> None:
    # The server may have been restarted. Asked before every use, it would cost a round trip each.
    used_at = record.info.get("used_at")
    if used_at is None or time.monotonic() - used_at < FRESH_SECONDS:
        return
    try:
        dialect.do_ping(dbapi_connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error  # the pool opens another one
