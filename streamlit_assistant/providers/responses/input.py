"""From the turns of a conversation to the input items of the Responses API.

The server refuses a call without its output and an output without its call, so both are told
together or not at all. What a server has to hear again word for word (its encrypted thoughts, with
the calls they led to) is told to that server only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.providers.responses.shapes import as_objects, as_text
from streamlit_assistant.records import JSON

SHOWN_BY_ASSISTANT = "[An image from the assistant's answer:]"
LONGEST_NAME = 64
_UNFIT_FOR_NAME = re.compile(r"[^a-zA-Z0-9_-]")
# What some servers tell as null but do not accept as such.
_NULLABLE = {"message", "reasoning", "function_call"}


def input_items(turns: Sequence[Turn], server: str) -> list[JSON]:
    """Return the items for the turns; `server` is whose words may be told again."""
    items: list[JSON] = []
    for place, turn in enumerate(turns):
        match turn:
            case PromptMessage(role, content):
                items += _message(role, content)
            case CallsMessage():
                items += _called(turn, _outputs(turns[place + 1 :]), server)
    return items


def _outputs(turns: Sequence[Turn]) -> dict[str, str]:
    """Return the outputs for the calls that the turns follow."""
    outputs: dict[str, str] = {}
    for turn in turns:
        if isinstance(turn, CallsMessage):
            break
        if isinstance(turn, OutputMessage):
            outputs.setdefault(turn.call_id, turn.output)
    return outputs


def _message(role: str, content: Sequence[JSON]) -> Iterator[JSON]:
    if role != "assistant":
        if content:
            yield {"type": "message", "role": role, "content": [_asked(part) for part in content]}
        return
    said = [part for part in map(_said, content) if part is not None]
    if said:
        yield {"type": "message", "role": role, "content": said}
    shown = [_asked(part) for part in content if part["type"] == "image_url"]
    if shown:  # which an assistant's message cannot hold
        told = {"type": "input_text", "text": SHOWN_BY_ASSISTANT}
        yield {"type": "message", "role": "user", "content": [told, *shown]}


def _asked(part: JSON) -> JSON:
    match part["type"]:
        case "image_url":
            image = part["image_url"]
            detail = image.get("detail") or "auto"
            return {"type": "input_image", "image_url": image["url"], "detail": detail}
        case "file":
            file = part["file"]
            return {"type": "input_file", "filename": file["filename"], "file_data": file["url"]}
        case "refusal":
            return {"type": "input_text", "text": part["refusal"]}
    return {"type": "input_text", "text": part["text"]["value"]}


def _said(part: JSON) -> JSON | None:
    match part["type"]:
        case "text":
            return {"type": "output_text", "text": part["text"]["value"], "annotations": []}
        case "refusal":
            return {"type": "refusal", "refusal": part["refusal"]}
    return None


def _called(turn: CallsMessage, outputs: Mapping[str, str], server: str) -> Iterator[JSON]:
    again = _told_again(turn, outputs, server)
    if again is None:
        calls = [call for call in turn.calls if call.id in outputs]
        yield from _message("assistant", turn.content)
        yield from map(_call, calls)
        answered = [call.id for call in calls]
    else:
        if not any(item.get("type") == "message" for item in again):
            yield from _message("assistant", turn.content)
        yield from again
        answered = [item["call_id"] for item in again if item.get("type") == "function_call"]
    for call_id in answered:
        yield {"type": "function_call_output", "call_id": call_id, "output": outputs[call_id]}


def _call(call: FunctionCall) -> JSON:
    name = _UNFIT_FOR_NAME.sub("_", call.name)[:LONGEST_NAME]
    arguments = call.arguments or "{}"
    return {"type": "function_call", "call_id": call.id, "name": name, "arguments": arguments}


def _told_again(turn: CallsMessage, outputs: Mapping[str, str], server: str) -> list[JSON] | None:
    """Return the server's own items, or None if they are another's or not all are answered."""
    replay = turn.replay or {}
    data = replay.get("data")
    if replay.get("server") != server or not isinstance(data, dict):
        return None
    items = as_objects(data.get("items"))
    names = [as_text(item.get("name")) for item in items if item.get("type") == "function_call"]
    ids = _ids_of(names, turn.calls)
    if not ids or any(call_id not in outputs for call_id in ids):
        return None
    by_place = iter(ids)
    stored = data.get("stored") is True
    told = [_told(item, stored) for item in items if stored or not _is_lost(item)]
    return [
        {**item, "call_id": next(by_place)} if item["type"] == "function_call" else item
        for item in told
    ]


def _ids_of(names: Sequence[str], calls: Sequence[FunctionCall]) -> list[str] | None:
    """Return the ids of the calls of these names, in order; others may be among them."""
    rest, ids = iter(calls), []
    for name in names:
        call_id = next((call.id for call in rest if call.name == name), None)
        if call_id is None:
            return None
        ids.append(call_id)
    return ids


def _is_lost(item: JSON) -> bool:
    """Return whether an item says nothing to a server that has not kept it."""
    is_thought = item.get("type") == "reasoning"
    return is_thought and not (item.get("encrypted_content") or item.get("content"))


def _told(item: JSON, stored: bool) -> JSON:
    """Return an item as it may be told; without its id, which only who keeps it knows."""
    told = item
    if as_text(item.get("type")) in _NULLABLE:
        told = {name: value for name, value in item.items() if value is not None}
    return told if stored else {name: value for name, value in told.items() if name != "id"}
