"""A history in the session state of a Streamlit script: kept over reruns, gone with the session."""

from contextvars import ContextVar
from typing import Any

from langchain_core.messages import BaseMessage

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import BadAddress, HistoryError
from streamlit_assistant.history.langchain_messages import message_of
from streamlit_assistant.history.session_log import SessionLog, State
from streamlit_assistant.history.stored_history import StoredHistory

KEY = "langchain_messages"

# Chains work in threads of their own, which Streamlit knows nothing of; but they take along the
# context of the thread that they were called in. One that took nothing along has no session: it
# must never meet somebody else's.
_SESSION: ContextVar[State | None] = ContextVar("session", default=None)


class StreamlitHistory(StoredHistory):
    """The messages under one key of the session state.

    It belongs to the session in whose script it is used, wherever it was made. Where there is no
    session, it raises `HistoryError`.
    """

    def __init__(self, key: str = KEY) -> None:
        """Histories with different keys stand side by side."""
        self.key = key
        state = _StateOfSession()
        state.remember()
        self._session = SessionLog(state, key)
        super().__init__(self._session)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """All messages of the session, oldest first, the same objects every time."""
        return self._session.made(message_of)


class _StateOfSession:
    """The state of the session in whose script it is used."""

    def __init__(self) -> None:
        self._scripts = driver("streamlit.runtime.scriptrunner", "langchain")

    def __contains__(self, key: object) -> bool:
        return key in self._here()

    def __getitem__(self, key: str) -> Any:
        return self._here()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._here()[key] = value

    def remember(self) -> None:
        """Let the threads that are begun from here on know the session, if there is one."""
        context = self._scripts.get_script_run_ctx(suppress_warning=True)
        if context is not None:
            _SESSION.set(context.session_state)

    def _here(self) -> State:
        self.remember()
        session = _SESSION.get()
        if session is None:
            raise HistoryError(
                "there is no Streamlit session here: a StreamlitHistory is used in a script that "
                "Streamlit runs, or by a chain called there. A thread of your own has to be "
                "started in its context: Thread(target=copy_context().run, args=(work,))"
            )
        return session


def history_at(url: str, session_id: str) -> StreamlitHistory:
    """Return the history under a key of the session state; the address is `streamlit:`."""
    if url.rstrip("/").lower() != "streamlit:":
        raise BadAddress("the address of a Streamlit session is streamlit: and nothing more")
    return StreamlitHistory(session_id)
