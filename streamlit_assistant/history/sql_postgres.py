"""Histories in PostgreSQL.

Every statement is a transaction of its own, one way there and back, but where a method says so.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import URL, create_engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from tenacity import wait_random_exponential

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.sql_database import Database
from streamlit_assistant.history.sql_silence import end_silence

CONNECTIONS, MORE = 2, 3  # kept, and opened for a while: histories of many sessions share them
CONNECT_SECONDS = 2  # the least that the driver waits for a host
LARGEST = 16_000_000  # characters in a statement; PostgreSQL takes no more than 1 GB
PORT = 5432
_CREATING = 0x48_49_53_54  # the advisory lock of whoever creates the tables

_SESSION_OPTIONS = (
    # Nobody waits forever for a writer that has been stopped in the middle, who is thrown out.
    "-c lock_timeout=5s -c idle_in_transaction_session_timeout=10s"
)
_CONNECTION = {
    "client_encoding": "utf8",  # what the server cannot keep it refuses, instead of the driver
    "application_name": "streamlit-assistant history",
    # A server that vanished without a word is noticed.
    **{"keepalives_idle": "5", "keepalives_interval": "3", "keepalives_count": "2"},
    "tcp_user_timeout": "10000",
}
# Serialization failure, deadlock, a lock not got in time, thrown out of a transaction, too many
# connections, lost connections (08), a server that stops or starts (57P): SQLSTATE.
_PASSING = ("40001", "40P01", "55P03", "25P03", "53300", "08", "57P")
# What the server says to whom it will never let in; it has no SQLSTATE then. In another language
# it is tried again, which is wrong only in that it takes longer.
_FINAL = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")

_APPEND = text(
    """
    WITH session AS (
        INSERT INTO history_sessions AS known (id, last_seq) VALUES (:session, :count)
        ON CONFLICT (id) DO UPDATE SET last_seq = known.last_seq + :count
        RETURNING last_seq - :count AS before
    )
    INSERT INTO history_messages (session_id, seq, key, created_at, text, body)
    SELECT :session, session.before + entry.place, entry.key, :now, entry.text, entry.body
    FROM session, unnest(CAST(:keys AS text[]), CAST(:texts AS text[]), CAST(:bodies AS text[]))
        WITH ORDINALITY AS entry (key, text, body, place)
    ON CONFLICT (session_id, key) DO NOTHING
    """
)
_ALONE = text("SELECT pg_advisory_xact_lock(:number)")


class PostgresDatabase(Database):
    """A few connections to a PostgreSQL database."""

    holds_word = "strpos(text, :{}) > 0"
    holds_words = (
        "NOT EXISTS (SELECT 1 FROM unnest(CAST(:words AS text[])) AS word"
        " WHERE strpos(text, word) = 0)"
    )

    def __init__(self, url: URL) -> None:
        """`url` may hold any option of libpq."""
        defaults = {name: value for name, value in _CONNECTION.items() if name not in url.query}
        options = f"{_SESSION_OPTIONS} {_written(url, 'options')}".strip()
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=CONNECTIONS,
            max_overflow=MORE,
            connect_args={**defaults, "options": options},
            use_native_hstore=False,  # nobody asks for it, and to look for it takes a question
            hide_parameters=True,
        )
        event.listen(engine, "do_connect", self._bound)
        event.listen(engine, "connect", self._end_silence)
        self._secrets = [
            secret
            for secret in (url.password, _written(url, "password"), _written(url, "sslpassword"))
            if secret
        ]
        pause = wait_random_exponential(multiplier=0.05, max=0.5)
        super().__init__(engine, _place(url), CONNECTIONS + MORE, pause)

    def append(self, connection: Connection, session: str, entries: Sequence[Entry]) -> None:
        """Write entries with one statement, where they are not too large for it.

        The row of the session is locked by it: without, two writers take the same numbers, or
        one's messages come to light before those with lower numbers of another.
        """
        parts = list(_parts(entries))
        if len(parts) > 1:
            connection.exec_driver_sql(self.begin)
        for part in parts:
            connection.execute(_APPEND, _values(session, part))
        if len(parts) > 1:
            connection.exec_driver_sql("COMMIT")

    def all_words(self, words: Sequence[str]) -> list[str]:
        """Return words as an array."""
        return list(words)

    def begin_alone(self, connection: Connection) -> None:
        """Begin, and take a lock: IF NOT EXISTS fails where two create a table at once."""
        super().begin_alone(connection)
        connection.execute(_ALONE, {"number": _CREATING})

    def passes(self, error: DBAPIError) -> bool:
        """Whether the server was away, or others were in the way."""
        state = _state(error)
        if state:
            return state.startswith(_PASSING)
        told = str(error.orig)
        lost = isinstance(error, OperationalError | InterfaceError)
        return lost and not any(final in told for final in _FINAL)

    def lacks_tables(self, error: DBAPIError) -> bool:
        """Whether one of our tables is not there."""
        return _state(error) == "42P01"

    def is_layout(self, error: DBAPIError) -> bool:
        """Whether the statement does not fit the tables; not: whether it is allowed."""
        state = _state(error)
        return isinstance(error, IntegrityError) or (state[:2] == "42" and state != "42501")

    def is_refusal(self, error: DBAPIError) -> bool:
        """Whether a value is too large, or not in the alphabet of the database."""
        return isinstance(error, DataError) or _state(error) == "54000"

    def without_secrets(self, cause: str) -> str:
        """Return an error's text without passwords, should it hold one."""
        for secret in self._secrets:
            cause = cause.replace(secret, "***")
        return cause

    def _bound(
        self, _dialect: object, _record: object, _arguments: object, options: dict[str, Any]
    ) -> None:
        """Wait for a host no longer than the history does."""
        seconds = max(CONNECT_SECONDS, int(self.seconds_left))
        given = options.get("connect_timeout")
        options["connect_timeout"] = min(seconds, int(given)) if given else seconds

    def _end_silence(self, connection: Any, _record: object) -> None:
        lost = driver("psycopg", "postgresql").OperationalError
        end_silence(connection, lambda: self.seconds_left, lost)


def _parts(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Divide entries into as many as a statement can carry."""
    begin = size = 0
    for place, entry in enumerate(entries):
        length = len(entry.body) + len(entry.text)
        if size and size + length > LARGEST:
            yield entries[begin:place]
            begin, size = place, 0
        size += length
    yield entries[begin:]


def _values(session: str, entries: Sequence[Entry]) -> dict[str, object]:
    return {
        "session": session,
        "count": len(entries),
        "now": time.time(),
        "keys": [entry.key for entry in entries],
        "texts": [entry.text for entry in entries],
        "bodies": [entry.body for entry in entries],
    }


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _written(url: URL, option: str) -> str:
    written = url.query.get(option, "")
    return written if isinstance(written, str) else " ".join(written)


def _place(url: URL) -> str:
    host = url.host or _written(url, "host") or "localhost"
    return f"the PostgreSQL database {url.database or ''} at {host}:{url.port or PORT}"
