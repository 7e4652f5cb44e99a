"""LangChain's messages as the entries of a store, and back, with everything they carry.

The JSON is what `langchain_core.messages.message_to_dict` makes and `messages_from_dict` reads,
without fields that are at their default: LangChain's own classes read it, in a third of the time.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import orjson
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    BaseMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
    messages_from_dict,
)

from streamlit_assistant.history.entries import Entry, fold, stored_name

_CLASSES: Mapping[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
    "function": FunctionMessage,
    "chat": ChatMessage,
}


def entry_of(message: BaseMessage) -> Entry:
    """Return a message as it is stored; raise `ValueError` for what cannot be."""
    if isinstance(message, RemoveMessage):
        raise ValueError("a RemoveMessage cannot be stored; call remove_messages with its id")
    if isinstance(message, BaseMessageChunk):
        message = message_chunk_to_message(message)
    data = message.model_dump(exclude_defaults=True)
    key = stored_name(message.id) if message.id else os.urandom(16).hex()
    return Entry(key, _encoded({"type": message.type, "data": data}), fold(text_of(message)))


def message_of(body: str) -> BaseMessage:
    """Return a stored message; raise `ValueError` for what is none."""
    return message_from(_decoded(body))


def message_from(written: Mapping[str, Any]) -> BaseMessage:
    """Return the message that was written as `{"type": …, "data": {…}}`."""
    made = _CLASSES.get(written["type"])
    if made is None:
        return messages_from_dict([dict(written)])[0]
    return made(**written["data"])


def text_of(message: BaseMessage) -> str:
    """Return what a message says, without its pictures and other blocks."""
    return str(message.text)


def _encoded(written: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(written).decode()
    except TypeError:
        # Half of a surrogate pair, which UTF-8 cannot say but an escape can.
        try:
            return json.dumps(written)
        except TypeError as error:
            raise ValueError(f"the message holds something that JSON cannot: {error}") from error


def _decoded(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)
