"""From request bodies to records: defaults filled in, what says nothing refused."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from streamlit_assistant.api.fields import ImageFilePart, ImageUrlPart, TextPart
from streamlit_assistant.api.langchain_fields import langchain_id
from streamlit_assistant.api.requests import CreateMessage, CreateThread
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import JSON, Message, Thread, new_id


def to_json(value: Any) -> Any:
    """Return a validated piece as the JSON that was sent, without what was not."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def to_tools(tools: Sequence[BaseModel]) -> list[JSON]:
    """Return tools as the service stores them: a function says whether it is strict."""
    stored: list[JSON] = []
    for tool in tools:
        data = to_json(tool)
        if data["type"] == "function":
            data["function"].setdefault("strict", False)
        stored.append(data)
    return stored


def to_message(body: CreateMessage, thread_id: str, now: int, where: str = "") -> Message:
    """Return the record of a message sent by a client. `where` is its path in the request."""
    return Message(
        id=new_id("msg"),
        thread_id=thread_id,
        created_at=now,
        role=body.role,
        content=_content(body, f"{where}content"),
        completed_at=now,
        attachments=to_json(body.attachments) or [],
        metadata=body.metadata or {},
        langchain=dict(body.langchain) if body.langchain else None,
        langchain_id=langchain_id(body.langchain) if body.langchain else None,
    )


def to_messages(
    bodies: Sequence[CreateMessage], thread_id: str, now: int, where: str
) -> list[Message]:
    """Return the records of several messages sent with a thread or a run."""
    return [
        to_message(body, thread_id, now, f"{where}[{index}].") for index, body in enumerate(bodies)
    ]


def to_thread(
    body: CreateThread, owner: str, now: int, tool_resources: JSON, where: str = ""
) -> tuple[Thread, list[Message]]:
    """Return the record of a new thread and of its first messages."""
    thread = Thread(
        id=new_id("thread"),
        owner=owner,
        created_at=now,
        metadata=body.metadata or {},
        tool_resources=tool_resources,
        last_active_at=now,
        temporary=bool(body.temporary),
    )
    return thread, to_messages(body.messages, thread.id, now, f"{where}messages")


def _content(body: CreateMessage, param: str) -> list[JSON]:
    parts = (
        [_text_part(body.content)]
        if isinstance(body.content, str)
        else [_part(part) for part in body.content]
    )
    if not any(_says_something(part) for part in parts):
        if body.langchain:
            return []  # such as what a tool returned that returns nothing
        raise InvalidRequest(
            "Message content must be non-empty.", param=param, code="invalid_value"
        )
    return parts


def _part(part: TextPart | ImageUrlPart | ImageFilePart) -> JSON:
    if isinstance(part, TextPart):
        return _text_part(part.text)
    if isinstance(part, ImageFilePart):
        file = part.image_file
        shown = {"file_id": file.file_id, "detail": file.detail or "auto"}
        return {"type": "image_file", "image_file": shown}
    image = part.image_url
    return {"type": "image_url", "image_url": {"url": image.url, "detail": image.detail or "auto"}}


def _text_part(text: str) -> JSON:
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _says_something(part: JSON) -> bool:
    return part["type"] != "text" or bool(part["text"]["value"].strip())
