"""Histories in an SQLite file, or in memory.

One connection for the whole process: its writers queue for it, in turn and without polling, and
no read takes long. Other processes are waited for at the file.
"""

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, QueuePool, create_engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from tenacity import wait_random_exponential

from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.sql_database import Database

# How long SQLite itself waits for another process; longer waits let our own readers through.
BUSY_MS = 50
FORK_SECONDS = 10  # that a fork waits for threads that are in the middle of something
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_PRIMARY = 0xFF  # the part of an error's code that says which kind it is

_NEXT = text(
    "INSERT INTO history_sessions (id, last_seq) VALUES (:session, :count)"
    " ON CONFLICT (id) DO UPDATE SET last_seq = last_seq + :count"
)
_LAST = text("SELECT last_seq FROM history_sessions WHERE id = :session")
_APPEND = (
    "INSERT INTO history_messages (session_id, seq, key, created_at, text, body)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, key) DO NOTHING"
)


class SqliteDatabase(Database):
    """One connection to an SQLite database."""

    begin = "BEGIN IMMEDIATE"  # one that only begins to write later may find that it cannot
    holds_word = "instr(text, :{}) > 0"
    holds_words = (
        "NOT EXISTS (SELECT 1 FROM json_each(:words) AS word WHERE instr(text, word.value) = 0)"
    )

    def __init__(self, url: URL) -> None:
        """`url` names a file by its whole path, or none: then it is in this process's memory."""
        self.is_file = url.database is not None
        engine = create_engine(
            url,
            connect_args={"check_same_thread": False},
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_connection)
        where = f"the SQLite database {url.database or 'in memory'}"
        super().__init__(engine, where, 1, wait_random_exponential(multiplier=0.005, max=0.1))
        _OPENED.add(self)

    def append(self, connection: Connection, session: str, entries: Sequence[Entry]) -> None:
        """Write entries in a transaction."""
        now = time.time()
        connection.exec_driver_sql(self.begin)
        connection.execute(_NEXT, {"session": session, "count": len(entries)})
        last = connection.execute(_LAST, {"session": session}).scalar_one()
        first = last - len(entries) + 1
        rows = [
            (session, seq, entry.key, now, entry.text, entry.body)
            for seq, entry in enumerate(entries, first)
        ]
        connection.exec_driver_sql(_APPEND, rows)
        connection.exec_driver_sql("COMMIT")

    def all_words(self, words: Sequence[str]) -> str:
        """Return words as JSON."""
        return json.dumps(words)

    def passes(self, error: DBAPIError) -> bool:
        """Whether another process was in the way."""
        return _code(error) in _PASSING

    def lacks_tables(self, error: DBAPIError) -> bool:
        """Whether one of our tables is not there."""
        return "no such table: history_" in str(error.orig)

    def is_layout(self, error: DBAPIError) -> bool:
        """Whether the statement does not fit the tables."""
        return isinstance(error, IntegrityError) or _code(error) == sqlite3.SQLITE_ERROR

    def is_refusal(self, error: DBAPIError) -> bool:
        """Whether a value is too large for SQLite."""
        return isinstance(error, DataError)

    def hold(self) -> bool:
        """Wait until nobody uses the file, close it, and let nobody in; False if that took long."""
        if not self._slots.acquire(timeout=FORK_SECONDS):
            return False
        if self.is_file:
            self.close()
        return True

    def let_go(self) -> None:
        """End what `hold` began."""
        self._slots.release()


class _Held(threading.local):
    """The databases that this thread holds while it forks."""

    def __init__(self) -> None:
        self.databases: list[SqliteDatabase] = []


_OPENED: weakref.WeakSet[SqliteDatabase] = weakref.WeakSet()
_HELD = _Held()


def _before_fork() -> None:
    # SQLite counts its locks of a file per process and would count those of the parent as the
    # child's own, who does not have them: then the parent deletes the log that the child writes.
    # With no connection open there is nothing to count.
    found = sorted(_OPENED, key=id)
    _HELD.databases = [database for database in found if database.hold()]


def _after_fork() -> None:
    for database in _HELD.databases:
        database.let_go()
    _HELD.databases = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )


def _code(error: DBAPIError) -> int:
    return getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY


def _prepare_connection(dbapi_connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: our own say of which kind they are.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    if cursor.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",):
        # What was committed outlives every end of a process. Only a power cut can take the last
        # moments, never more; to wait for the disk each time would take ten times as long. Where
        # there can be no such log, as on network drives, SQLite waits.
        cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
