"""A database that keeps histories: its connections, its retries, and what its errors mean."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_before_delay
from tenacity.wait import wait_base

from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import (
    HistoryError,
    HistoryUnavailable,
    MessageRefused,
)
from streamlit_assistant.history.sql_tables import create_tables

T = TypeVar("T")
Work = Callable[[Connection], T]

DIRECT = 8  # words that are looked for one by one; databases limit how many conditions there are

_READ = text(
    "SELECT body FROM history_messages"
    " WHERE session_id = :session AND body IS NOT NULL ORDER BY seq"
)
_LOCK = text("UPDATE history_sessions SET last_seq = last_seq WHERE id = :session")
_REMOVE = text(
    "UPDATE history_messages SET body = NULL, text = '' WHERE session_id = :session AND key = :key"
)
_FORGET_SESSION = text("DELETE FROM history_sessions WHERE id = :session")
_FORGET_MESSAGES = text("DELETE FROM history_messages WHERE session_id = :session")


class Database(ABC):
    """What all histories of one address share in a process. A subclass speaks its dialect."""

    begin = "BEGIN"  # a transaction that will write
    holds_word: str  # a condition with the name of one word
    holds_words: str  # the same for `:words`, a value that `all_words` makes of several

    def __init__(self, engine: Engine, where: str, connections: int, pause: wait_base) -> None:
        """`where` names it to people; `pause` is how long to wait before the next try."""
        self._engine = engine
        self._where = where
        self._slots = threading.BoundedSemaphore(connections)
        self._pause = pause
        self._turn = threading.local()

    def run(self, work: Work[T], patience: float) -> T:
        """Do what can be done twice, again while the database is away; raise `HistoryError`."""
        retrying = Retrying(
            retry=retry_if_exception(self._passes),
            stop=stop_before_delay(patience),
            wait=self._pause,
            reraise=True,
        )
        try:
            done: T = retrying(self._try, work, time.monotonic() + patience)
            return done
        except SQLAlchemyError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._engine.dispose()

    @abstractmethod
    def append(self, connection: Connection, session: str, entries: Sequence[Entry]) -> None:
        """Write entries, of different keys, at the end of a session."""

    def read(self, connection: Connection, session: str) -> Sequence[str]:
        """Return the bodies of a session."""
        return connection.execute(_READ, {"session": session}).scalars().all()

    def search(
        self, connection: Connection, session: str, words: Sequence[str], limit: int
    ) -> Sequence[str]:
        """Return the newest bodies whose text holds all words."""
        values: dict[str, object] = {
            f"word{place}": word for place, word in enumerate(words[:DIRECT])
        }
        conditions = [self.holds_word.format(name) for name in values]
        if rest := words[DIRECT:]:
            conditions.append(self.holds_words)
            values["words"] = self.all_words(rest)
        # Nothing of this is anybody's text but for names like "word0".
        statement = text(
            "SELECT body FROM history_messages WHERE session_id = :session AND body IS NOT NULL"
            f" AND {' AND '.join(conditions)} ORDER BY seq DESC LIMIT :limit"
        )
        given = {"session": session, "limit": limit, **values}
        return connection.execute(statement, given).scalars().all()

    def remove(self, connection: Connection, session: str, keys: Collection[str]) -> None:
        """Take the bodies of messages away, and keep their keys."""
        connection.exec_driver_sql(self.begin)
        connection.execute(_LOCK, {"session": session})
        connection.execute(_REMOVE, [{"session": session, "key": key} for key in keys])
        connection.exec_driver_sql("COMMIT")

    def clear(self, connection: Connection, session: str) -> None:
        """Remove a session and all of its messages."""
        connection.exec_driver_sql(self.begin)
        # The session first: this waits for whoever is writing, and the messages of that one are
        # seen by the next statement.
        connection.execute(_FORGET_SESSION, {"session": session})
        connection.execute(_FORGET_MESSAGES, {"session": session})
        connection.exec_driver_sql("COMMIT")

    @abstractmethod
    def all_words(self, words: Sequence[str]) -> object:
        """Return words as the one value of `holds_words`."""

    def create_tables(self, connection: Connection) -> None:
        """Create the tables, also where another process does so at this moment."""
        self.begin_alone(connection)
        create_tables(connection)
        connection.exec_driver_sql("COMMIT")

    def begin_alone(self, connection: Connection) -> None:
        """Begin a transaction that changes the tables themselves."""
        connection.exec_driver_sql(self.begin)

    @abstractmethod
    def passes(self, error: DBAPIError) -> bool:
        """Whether it is worth trying again after this error."""

    @abstractmethod
    def lacks_tables(self, error: DBAPIError) -> bool:
        """Whether there are no tables yet."""

    @abstractmethod
    def is_layout(self, error: DBAPIError) -> bool:
        """Whether the tables are not the ones we would have made."""

    @abstractmethod
    def is_refusal(self, error: DBAPIError) -> bool:
        """Whether what was to be written is the reason."""

    @property
    def seconds_left(self) -> float:
        """How long the work of this thread may still take."""
        return max(0.0, getattr(self._turn, "deadline", 0.0) - time.monotonic())

    def without_secrets(self, cause: str) -> str:
        """Return what may be shown of an error's text."""
        return cause

    def _try(self, work: Work[T], deadline: float) -> T:
        self._turn.deadline = deadline
        if not self._slots.acquire(timeout=self.seconds_left):
            raise HistoryUnavailable(f"{self._where} is busy: all connections are in use")
        try:
            with self._engine.connect() as connection:
                return self._work(work, connection)
        finally:
            self._slots.release()

    def _work(self, work: Work[T], connection: Connection) -> T:
        try:
            return work(connection)
        except DBAPIError as error:
            if not self.lacks_tables(error):
                raise
            connection.rollback()
        self.create_tables(connection)
        return work(connection)

    def _passes(self, error: BaseException) -> bool:
        return isinstance(error, DBAPIError) and self.passes(error)

    def _explained(self, error: SQLAlchemyError) -> HistoryError:
        if not isinstance(error, DBAPIError):
            return HistoryUnavailable(f"{self._where} cannot be used ({type(error).__name__})")
        cause = self.without_secrets(str(error.orig).strip().partition("\n")[0])
        if self.is_refusal(error):
            return MessageRefused(f"{self._where} does not take this message ({cause})")
        if self.is_layout(error):
            return HistoryUnavailable(
                f"{self._where} has tables history_sessions or history_messages that this version "
                f"did not make ({cause}); rename them, or use another database"
            )
        return HistoryUnavailable(f"{self._where} cannot be used ({cause})")
