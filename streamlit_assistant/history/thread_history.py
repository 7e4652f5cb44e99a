"""A thread of our API as a LangChain history: a chain and the page talk in one conversation."""

import os
import re
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import BadAddress
from streamlit_assistant.history.shared import Shared
from streamlit_assistant.history.stored_history import StoredHistory
from streamlit_assistant.history.thread_log import ThreadLog
from streamlit_assistant.history.thread_requests import new_thread

if TYPE_CHECKING:
    from openai import OpenAI

PATIENCE = 60.0  # seconds to wait for the end of an answer that is being written
RETRIES = 5  # of a request, by the client: about ten seconds
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class ThreadHistory(StoredHistory):
    """The messages of one thread of our API.

    What the page writes is in the next `messages`, and what is added here is on the page within
    seconds. While an answer is being written there, to add messages waits for its end, and
    raises `HistoryUnavailable` after `patience` seconds. Answers are seen once they are whole.
    """

    def __init__(self, client: "OpenAI", thread_id: str, patience: float = PATIENCE) -> None:
        """`client` points at our `/v1`; it is left open."""
        super().__init__(ThreadLog(client, thread_id, patience))
        self.thread_id = thread_id

    @classmethod
    def new(cls, client: "OpenAI", patience: float = PATIENCE) -> Self:
        """Return the history of a new thread; its `thread_id` opens it again."""
        return cls(client, new_thread(client), patience)


def history_at(url: str, session_id: str) -> StoredHistory:
    """Return the thread with an id at `http(s)://host/v1`, whose key may be the URL's password.

    `?patience=` are the seconds to wait for the end of an answer. Raises `BadAddress`.
    """
    base_url, key, patience = _read(url)
    return StoredHistory(
        ThreadLog(
            _CLIENTS.acquire(base_url, key),
            session_id,
            patience,
            lambda: _CLIENTS.release(base_url, key),
        )
    )


def _connected(base_url: str, key: str) -> Any:
    openai = driver("openai", "langchain")
    return openai.OpenAI(base_url=base_url, api_key=key, max_retries=RETRIES)


_CLIENTS = Shared(_connected, lambda client: client.close())


def _read(url: str) -> tuple[str, str, float]:
    """Return the address without its secrets and options, the key, and the patience."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("the address of the API cannot be read") from None
    patience = _patience(dict(parse_qsl(parts.query, keep_blank_values=True)))
    if not parts.hostname:
        raise BadAddress("the address of the API names no host")
    key = unquote(parts.password or "") or os.environ.get("OPENAI_API_KEY", "")
    if not key:
        raise BadAddress("there is no key: set OPENAI_API_KEY, or write http://:KEY@host:8501/v1")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, place, parts.path, "", "")), key, patience


def _patience(options: dict[str, str]) -> float:
    given = options.pop("patience", str(PATIENCE))
    if options:
        raise BadAddress(f"unknown option: {', '.join(options)}; there is: patience")
    if not _SECONDS.fullmatch(given):
        raise BadAddress(f"patience is a number of seconds, not {given[:40]!r}")
    return float(given)
