"""Page layer: what was said in a temporary chat, kept in the session of one browser tab."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from streamlit_assistant.chatbot import ChatMessage, OfferedFile, Picture
from streamlit_assistant.history.entries import Entry, fold
from streamlit_assistant.history.session_log import SessionLog, State

KEY = "temporary_chat"  # of the session state, where a `StreamlitHistory` of this key finds it too
TYPES = {"user": "human", "assistant": "ai"}
ABOUT = "chat_message"  # what LangChain has no field for


class SessionTranscript:
    """The messages as LangChain writes them, in a session state."""

    def __init__(self, session: State) -> None:
        self._log = SessionLog(session, KEY)

    def read(self) -> list[ChatMessage]:
        """All messages, the oldest first."""
        return [_message(body) for body in self._log.read()]

    def append(self, messages: Sequence[ChatMessage]) -> None:
        """Add messages at the end."""
        if messages:
            self._log.append([_entry(message) for message in messages])

    def clear(self) -> None:
        """Forget them all."""
        self._log.clear()


def _entry(message: ChatMessage) -> Entry:
    about = asdict(message)
    data = {"content": about.pop("text"), "id": about.pop("id")}
    written = {
        "type": TYPES.get(message.role, "human"),
        "data": {**data, "response_metadata": {ABOUT: about}},
    }
    return Entry(message.id, json.dumps(written, ensure_ascii=False), fold(message.text))


def _message(body: str) -> ChatMessage:
    data: dict[str, Any] = json.loads(body)["data"]
    about: dict[str, Any] = data["response_metadata"][ABOUT]
    about["pictures"] = tuple(Picture(**picture) for picture in about["pictures"])
    about["files"] = tuple(OfferedFile(**file) for file in about["files"])
    return ChatMessage(id=data["id"], text=data["content"], **about)
