"""A message in LangChain's form as the API takes it. It needs no LangChain.

Plain words and pictures of a person or a model are ordinary messages. Whatever else a message
carries goes into our extension, beside a content that a person can read.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from streamlit_assistant.history.thread_messages import (
    EXTENSION,
    JSON,
    TYPES,
    content_of,
    words_of,
)
from streamlit_assistant.surrogates import whole

MOST_TEXT = 256_000  # characters of all texts in a message; what is longer is in the extension
MOST_PARTS = 100
DETAILS = ("auto", "low", "high")
_PICTURE = re.compile("https?://|data:image/")
# Blocks that say nothing to a person, or what the message says elsewhere as well.
_SILENT = frozenset(
    {
        *("tool_use", "tool_call", "tool_call_chunk", "invalid_tool_call", "function_call"),
        *("thinking", "redacted_thinking", "reasoning", "reasoning_content"),
        *("text", "non_standard"),
    }
)


def posted_form(written: JSON) -> JSON:
    """Return the body that posts a message in the form `{"type": …, "data": {…}}`."""
    kind, data = written["type"], written["data"]
    role = _role(kind, data)
    parts = _cut([*_parts(data.get("content", "")), *_calls(data.get("tool_calls") or ())])
    carried = {name: value for name, value in data.items() if name != "content"}
    if content_of(parts) != data.get("content", ""):
        carried["content"] = data["content"]
    body: JSON = {"role": role, "content": [_sent(part) for part in parts] or ""}
    if carried or kind != TYPES[role] or not parts:
        body[EXTENSION] = {"type": kind, "data": _sayable(carried)}
    return body


def _role(kind: str, data: JSON) -> str:
    # The side on which it is shown: what is neither's is not taken for a question.
    speaker = data.get("role") if kind == "chat" else kind
    return "user" if speaker in ("human", "user") else "assistant"


def _parts(content: str | Sequence[str | JSON]) -> Iterator[JSON]:
    for block in [content] if isinstance(content, str) else content:
        text = words_of(block)
        if text is not None:
            if text.strip():
                yield _text_part(text)
        elif isinstance(block, dict) and (picture := _picture(block)):
            yield {"type": "image_url", "image_url": picture}
        elif isinstance(block, dict) and block.get("type", "text") not in _SILENT:
            yield _text_part(f"[{block['type']}]")


def _calls(calls: Sequence[JSON]) -> Iterator[JSON]:
    """Show calls as code that a person can read."""
    for call in calls:
        arguments = json.dumps(call["args"], ensure_ascii=False)
        shown = f"{call['name']}({arguments})".replace("`", r"\u0060")
        yield _text_part(f"`{shown}`")


def _picture(block: JSON) -> JSON | None:
    given = block.get("image_url") if block.get("type") == "image_url" else _inline(block)
    image = given if isinstance(given, Mapping) else {"url": given}
    url, detail = image.get("url"), image.get("detail")
    if not isinstance(url, str) or not _PICTURE.match(url):
        return None
    return {"url": whole(url), "detail": detail if detail in DETAILS else "auto"}


def _inline(block: JSON) -> str | None:
    """Return the address of a picture in LangChain's own form."""
    if block.get("type") != "image":
        return None
    data = block.get("base64") or block.get("data")
    return f"data:{block.get('mime_type')};base64,{data}" if data else block.get("url")


def _text_part(text: str) -> JSON:
    return {"type": "text", "text": {"value": whole(text), "annotations": []}}


def _cut(parts: Sequence[JSON]) -> list[JSON]:
    """Return as many of the parts as the API takes."""
    taken: list[JSON] = []
    left = MOST_TEXT
    for part in parts[:MOST_PARTS]:
        if part["type"] != "text":
            taken.append(part)
        elif left > 0:
            text = part["text"]["value"]
            taken.append(part if len(text) <= left else _text_part(f"{text[: left - 1]}…"))
            left -= len(text)
    return taken


def _sent(part: JSON) -> JSON:
    return {"type": "text", "text": part["text"]["value"]} if part["type"] == "text" else part


def _sayable(data: JSON) -> JSON | str:
    """Return what is sent: JSON's text where half of a surrogate pair can be said only so."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(data)
    return data
