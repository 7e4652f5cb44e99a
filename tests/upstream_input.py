"""Requests of the Responses API, told as Chat Completions would: that is all the mind reads."""

from collections.abc import Sequence
from typing import Any

from tests.upstream_wire import JSON

_TEXTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}


def messages_of(body: JSON) -> list[JSON]:
    """Return the conversation of a request to either API."""
    if "messages" in body:
        messages: list[JSON] = body["messages"]
        return messages
    told = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    for item in items_of(body):
        _tell(told, item)
    return told


def items_of(body: JSON) -> list[JSON]:
    """Return the input items of a request."""
    given = body.get("input") or []
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    items: list[JSON] = given
    return items


def tools_of(body: JSON) -> list[JSON]:
    """Return the functions that a request to either API offers."""
    tools = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
    return [
        tool if "function" in tool else {"type": "function", "function": tool} for tool in tools
    ]


def _tell(told: list[JSON], item: JSON) -> None:
    match item.get("type", "message"):
        case "message":
            told.append({"role": item["role"], "content": _content(item["content"])})
        case "function_call":
            if not told or told[-1]["role"] != "assistant":
                told.append({"role": "assistant", "content": ""})
            function = {"name": item["name"], "arguments": item["arguments"]}
            call = {"id": item["call_id"], "type": "function", "function": function}
            told[-1].setdefault("tool_calls", []).append(call)
        case "function_call_output":
            content = _content(item["output"])
            told.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})


def _content(content: str | Sequence[JSON]) -> Any:
    if isinstance(content, str):
        return content
    return [_part(part) for part in content]


def _part(part: JSON) -> JSON:
    if part["type"] in _TEXTS:
        return {"type": "text", "text": part[_TEXTS[part["type"]]]}
    if part["type"] == "input_image" and "image_url" in part:
        image = {"url": part["image_url"], "detail": part.get("detail", "auto")}
        return {"type": "image_url", "image_url": image}
    return part
