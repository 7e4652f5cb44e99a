"""Histories and logs by the URL of their store."""

import importlib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.entries import MessageLog
from streamlit_assistant.history.history_errors import BadAddress

if TYPE_CHECKING:
    from streamlit_assistant.history.stored_history import StoredHistory

# By scheme: the module that opens a log, and the one whose class is the history over it. A scheme
# may be followed by a driver, as in `postgresql+psycopg`.
_LOGS = {
    "redis": "redis_log",
    "rediss": "redis_log",
    "kafka": "kafka_log",
    "postgresql": "sql_log",
    "postgres": "sql_log",
    "sqlite": "sql_log",
}
_HISTORIES = {
    "redis": "redis_history",
    "rediss": "redis_history",
    "kafka": "kafka_history",
    "postgresql": "sql_history",
    "postgres": "sql_history",
    "sqlite": "sql_history",
    "http": "thread_history",
    "https": "thread_history",
    "streamlit": "streamlit_history",
}
_HERE = __name__.rpartition(".")[0]


def open_history(url: str, session_id: str) -> "StoredHistory":
    """Return the history of a session in the store at a URL; its `messages` are the whole of it.

    `redis://host:6379/0`, `kafka://host:9092`, `postgresql://user:password@host/database`,
    `sqlite:///file.db`, `http://host:8501/v1` (a thread of our API; its key is the password of the
    URL or OPENAI_API_KEY), `streamlit:` (the session state of a Streamlit script). What else the
    class takes may stand in the query of the URL, such as `?ttl=3600`. Raises `BadAddress` for
    anything else and `MissingDriver` where an extra is needed.
    """
    driver("langchain_core", "langchain")
    return cast("StoredHistory", _module(url, _HISTORIES).history_at(url, session_id))


def open_log(url: str, session_id: str) -> MessageLog:
    """Return the log of a session in the store at a URL, which needs no LangChain.

    Raises `BadAddress` or `MissingDriver`.
    """
    return cast(MessageLog, _module(url, _LOGS).log_at(url, session_id))


def check_address(url: str) -> None:
    """Raise `BadAddress` or `MissingDriver` if no log can be opened there; connect to nothing."""
    _module(url, _LOGS).check_address(url)


def _module(url: str, modules: dict[str, str]) -> Any:
    try:
        scheme = urlsplit(url).scheme.partition("+")[0].lower()
    except ValueError:  # its text shows parts of the URL
        raise BadAddress("this is not the address of a history") from None
    if scheme not in modules:
        # Not the URL: nobody can tell where in a wrong one the password is.
        raise BadAddress(f"a history's address begins with {', '.join(modules)}")
    return importlib.import_module(f"{_HERE}.{modules[scheme]}")
