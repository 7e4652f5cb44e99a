"""The log of a session in an SQL database: SQLite or PostgreSQL."""

import os
from collections.abc import Collection, Sequence
from functools import partial

from sqlalchemy import make_url

from streamlit_assistant.history.entries import Entry, distinct, stored_name
from streamlit_assistant.history.history_errors import HistoryError
from streamlit_assistant.history.shared import Shared
from streamlit_assistant.history.sql_addresses import SQLAddress, checked_patience, sql_address
from streamlit_assistant.history.sql_database import Database, T, Work
from streamlit_assistant.history.sql_postgres import PostgresDatabase
from streamlit_assistant.history.sql_sqlite import SqliteDatabase

PATIENCE = 10.0  # seconds that a database may be away before a caller is told


def log_at(url: str, session_id: str) -> "SQLLog":
    """Return the log of a session; raise `BadAddress` or `MissingDriver`."""
    return SQLLog(session_id, url)


def check_address(url: str) -> None:
    """Raise `BadAddress` or `MissingDriver` if no log can be opened; connects to nothing."""
    sql_address(url)


class SQLLog:
    """The messages of one session, as rows; see `MessageLog`."""

    def __init__(self, session_id: str, url: str, *, patience: float = PATIENCE) -> None:
        """`?patience=` in the URL has the last word. Connects to nothing yet."""
        address = sql_address(url)
        wanted = patience if address.patience is None else address.patience
        self._patience = checked_patience(wanted)
        self._session = stored_name(session_id)
        self._lease = _Lease(address)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries at the end, in one transaction."""
        if entries:
            append = self._lease.database.append
            self._run(partial(append, session=self._session, entries=distinct(entries)))

    def read(self) -> Sequence[str]:
        """Return all bodies, oldest first."""
        return self._run(partial(self._lease.database.read, session=self._session))

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        """Return the newest bodies whose text holds all words."""
        if not words or limit < 1:
            return []
        search = self._lease.database.search
        return self._run(partial(search, session=self._session, words=words, limit=limit))

    def remove(self, keys: Collection[str]) -> None:
        """Remove messages; only their keys stay."""
        if keys:
            self._run(partial(self._lease.database.remove, session=self._session, keys=keys))

    def clear(self) -> None:
        """Remove everything that is kept of the session."""
        self._run(partial(self._lease.database.clear, session=self._session))

    def close(self) -> None:
        """Give the database back; the last log of an address closes it."""
        self._lease.end()

    def _run(self, work: Work[T]) -> T:
        return self._lease.database.run(work, self._patience)


class _Lease:
    """A share of the process's connections to a database."""

    def __init__(self, address: SQLAddress) -> None:
        self._url = address.url.render_as_string(hide_password=False)
        self._process: int | None = os.getpid()
        self._database = _DATABASES.acquire(self._url)

    @property
    def database(self) -> Database:
        if self._process is None:
            raise HistoryError("this history has been closed")
        if self._process != os.getpid():
            # A forked process must not use its parent's connections.
            self._process = os.getpid()
            self._database = _DATABASES.acquire(self._url)
        return self._database

    def end(self) -> None:
        if self._process == os.getpid():
            _DATABASES.release(self._url)
        self._process = None


def _open(url: str) -> Database:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteDatabase(parsed)
    return PostgresDatabase(parsed)


_DATABASES: Shared[Database] = Shared(_open, Database.close)
