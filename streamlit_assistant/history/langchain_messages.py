"""LangChain's messages as the entries of a store, and back, with everything they carry.

The JSON is what `langchain_core.messages.message_to_dict` makes and `messages_from_dict` reads,
without fields that are at their default: LangChain's own classes read it, in a third of the time.
"""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
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
from streamlit_assistant.history.thread_messages import said

_CLASSES: Mapping[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
    "function": FunctionMessage,
    "chat": ChatMessage,
}
# How a body begins that json has written, with a space where orjson has none: of a number of more
# than 64 bits orjson would read the first digits only.
_OF_JSON = '{"type": '
# What its classes raise, in their validators as well, about data that does not fit.
_MISFITS = (AttributeError, KeyError, TypeError, ValueError)


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
    """Return the message that was written as `{"type": …, "data": {…}}`.

    Programs of all kinds write into the threads of our API, which knows no LangChain. Of what its
    classes refuse the words are read, so that one such message does not take the others away.
    """
    try:
        return _whole(written)
    except _MISFITS:
        made = HumanMessage if written["type"] == "human" else AIMessage
        return made(said(dict(written)), id=written["data"].get("id"))


def text_of(message: BaseMessage) -> str:
    """Return what a message says, without its pictures and other blocks."""
    return str(message.text)


def _whole(written: Mapping[str, Any]) -> BaseMessage:
    made = _CLASSES.get(written["type"])
    message = made(**written["data"]) if made else messages_from_dict([dict(written)])[0]
    if isinstance(message, RemoveMessage):
        raise TypeError("it is an order, not a message")
    return message


def _encoded(written: Mapping[str, Any]) -> str:
    # It refuses half of a surrogate pair and numbers of more than 64 bits, which json can say.
    with suppress(TypeError):
        body = orjson.dumps(written).decode()
        if "null" not in body or not _holds_no_number(written):
            return body
    try:
        return json.dumps(written)
    except TypeError as error:
        raise ValueError(f"the message holds something that JSON cannot: {error}") from error


def _holds_no_number(value: object) -> bool:
    """Whether infinity or NaN is somewhere in a value: orjson writes them as null."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_holds_no_number, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_no_number, value))


def _decoded(body: str) -> Any:
    if body.startswith(_OF_JSON):
        return json.loads(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)
