"""What LangChain wrote into a thread, as the model is told of it.

Such messages come from programs of all kinds, and nobody has checked more of them than their form:
what cannot be understood here is told as the words that everybody sees.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import CallsMessage, FunctionCall, OutputMessage
from streamlit_assistant.records import JSON, Message

CALLED = "[Called {}({})]"
RETURNED = "[{} returned: {}]"
A_TOOL = "A tool"
RESULTS = ("tool", "function")


def as_told(message: Message) -> Message:
    """Return a message with all of its text, its calls and results in words."""
    kind = _kind(message)
    if kind in RESULTS:
        carried = {**_carried(message), "content": _said(message)}
        note = RETURNED.format(carried.get("name") or A_TOOL, carried["content"])
        told = {"type": kind, "data": carried}
        return replace(message, role="user", content=[_text(note)], langchain=told)
    if calls := _calls(message):
        notes = [_text(CALLED.format(call.name, call.arguments)) for call in calls]
        return replace(message, content=[*_said_parts(message), *notes])
    if isinstance(_carried(message).get("content"), str) and message.content:
        return replace(message, content=[_text(_said(message))])
    return message


def without_instructions(messages: Sequence[Message]) -> tuple[list[str], list[Message]]:
    """Return what system messages say, and the other messages.

    Many model servers take such a message at the beginning only, or none at all.
    """
    told = [_said(message) for message in messages if _kind(message) == "system"]
    return told, [message for message in messages if _kind(message) != "system"]


def with_calls(
    messages: Sequence[Message], names: Collection[str]
) -> Iterator[Message | CallsMessage | OutputMessage]:
    """Yield the messages, and as calls and outputs those that are whole.

    A server refuses a call without its output, or of a function that it is not offered: `names`.
    """
    place = 0
    while place < len(messages):
        message = messages[place]
        calls = _calls(message)
        outputs = _outputs(messages[place + 1 : place + 1 + len(calls)])
        answered = {call.id for call in calls} == outputs.keys() and len(outputs) == len(calls)
        if calls and answered and all(call.name in names for call in calls):
            yield CallsMessage(calls, _said_parts(message))
            yield from (OutputMessage(call.id, outputs[call.id]) for call in calls)
            place += len(calls)
        else:
            yield message
        place += 1


def _outputs(messages: Sequence[Message]) -> dict[str, str]:
    tools = [message for message in messages if _kind(message) == "tool"]
    return {str(_carried(tool).get("tool_call_id")): _said(tool) for tool in tools}


def _calls(message: Message) -> list[FunctionCall]:
    calls = _carried(message).get("tool_calls") if _kind(message) == "ai" else None
    if not isinstance(calls, list) or not all(_is_call(call) for call in calls):
        return []
    return [FunctionCall(call["id"], call["name"], to_json(call.get("args"))) for call in calls]


def _is_call(call: Any) -> bool:
    if not isinstance(call, Mapping):
        return False
    return all(isinstance(call.get(name), str) and call[name] for name in ("id", "name"))


def _said(message: Message) -> str:
    """Return the text of a message, also what is too long to be its content."""
    content = _carried(message).get("content")
    if isinstance(content, str):
        return content
    parts = message.content if content is None else _said_parts(message)
    return "".join(part["text"]["value"] for part in parts if part["type"] == "text")


def _said_parts(message: Message) -> list[JSON]:
    """Return the texts of what was said beside calling something."""
    content = _carried(message).get("content")
    if content is None:
        return list(message.content)
    blocks = [content] if isinstance(content, str) else content
    texts = [block if isinstance(block, str) else block.get("text") for block in blocks]
    return [_text(text) for text in texts if isinstance(text, str) and text.strip()]


def _kind(message: Message) -> str:
    return str(message.langchain["type"]) if message.langchain else ""


def _carried(message: Message) -> JSON:
    data = message.langchain["data"] if message.langchain else {}
    return data if isinstance(data, dict) else {}


def _text(value: str) -> JSON:
    return {"type": "text", "text": {"value": value, "annotations": []}}
