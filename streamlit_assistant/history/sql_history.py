"""A history in an SQL database, for LangChain."""

from streamlit_assistant.history.sql_log import PATIENCE, SQLLog
from streamlit_assistant.history.stored_history import StoredHistory


def history_at(url: str, session_id: str) -> "SQLHistory":
    """Return the history of a session; raise `BadAddress` or `MissingDriver`."""
    return SQLHistory(session_id, url)


class SQLHistory(StoredHistory):
    """The messages of one session in SQLite or PostgreSQL.

    The tables `history_sessions` and `history_messages` are made on first use; they may stand in
    a database that has others. All histories of a database share a few connections, whatever
    number of sessions there is, and any number of processes may write to one session at once.
    """

    def __init__(self, session_id: str, url: str, *, patience: float = PATIENCE) -> None:
        """`url` is `sqlite:///file.db`, `sqlite:////folder/file.db`, `sqlite://` (in the memory of
        this process) or `postgresql://user:password@host:5432/name`, with any option of libpq
        such as `?sslmode=require`.

        `patience` is how many seconds the database may be away before `HistoryUnavailable`; in
        the URL, `?patience=3` says the same. Raises `BadAddress` or `MissingDriver`.
        """
        super().__init__(SQLLog(session_id, url, patience=patience))
