"""A message of a thread, as the API shows it, in LangChain's form. It needs no LangChain."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from streamlit_assistant.history.entries import Entry, fold, stored_name
from streamlit_assistant.json_text import to_json

JSON = dict[str, Any]

# Our extension of a message: what LangChain's message carried beyond role and content.
EXTENSION = "langchain"
TYPES = {"user": "human", "assistant": "ai"}

_MAY_BE_LONG = re.compile(r"\d{19}")  # a number of more than 64 bits


def written_form(message: Mapping[str, Any]) -> JSON:
    """Return a `thread.message` as `{"type": …, "data": {…}}`.

    One that LangChain has written comes back as it was; where it had no id it gets the message's.
    """
    data: JSON = {"content": content_of(message["content"]), "id": message["id"]}
    kept = message.get(EXTENSION)
    if kept:
        return {"type": kept["type"], "data": data | _carried(kept)}
    about = _about(message)
    if about:
        data["response_metadata"] = about
    return {"type": TYPES.get(message["role"], "human"), "data": data}


def entry_of_thread_message(message: Mapping[str, Any]) -> Entry:
    """Return a `thread.message` as stores keep it; its key is always the message's own id."""
    written = written_form(message)
    return Entry(stored_name(message["id"]), body_of(written), fold(said(written)))


def body_of(written: JSON) -> str:
    """Return a message in LangChain's form as the body of an entry."""
    try:
        body = to_json(written)
        body.encode()
    except UnicodeEncodeError:
        return json.dumps(written)  # half of a surrogate pair, which only an escape can say
    # With spaces: readers take it for json's own, and read such numbers to their last digit.
    return json.dumps(written, ensure_ascii=False) if _MAY_BE_LONG.search(body) else body


def content_of(parts: Sequence[Mapping[str, Any]]) -> str | list[JSON]:
    """Return the content parts of a message as LangChain's content."""
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"]["value"] for part in parts)
    return [_block(part) for part in parts]


def said(written: JSON) -> str:
    """Return the text of a message in LangChain's form, without its pictures and other blocks."""
    content = written["data"].get("content") or ()
    if isinstance(content, str):
        return content
    return "".join(words_of(block) or "" for block in content)


def words_of(block: object) -> str | None:
    """Return the text of a block of content, None if it is of another kind."""
    if isinstance(block, dict):
        block = block.get("text") if block.get("type") == "text" else None
    return block if isinstance(block, str) else None


def _carried(kept: Mapping[str, Any]) -> JSON:
    data = kept["data"]
    carried: JSON = json.loads(data) if isinstance(data, str) else dict(data)
    if not carried.get("id"):
        carried.pop("id", None)
    return carried


def _block(part: Mapping[str, Any]) -> JSON:
    match part["type"]:
        case "text":
            return {"type": "text", "text": part["text"]["value"]}
        case "image_url":
            return {"type": "image_url", "image_url": dict(part["image_url"])}
        case "image_file":
            return {"type": "image", "file_id": part["image_file"]["file_id"]}
        case _:
            return dict(part)


def _about(message: Mapping[str, Any]) -> JSON:
    """Return what LangChain has no field for and a reader may want to know."""
    about = {name: message[name] for name in ("assistant_id", "run_id") if message.get(name)}
    if message.get("status") == "incomplete":
        about["finish_reason"] = (message.get("incomplete_details") or {}).get("reason")
    return about
