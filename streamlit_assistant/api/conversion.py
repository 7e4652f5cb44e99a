"""From request bodies to records: defaults filled in, what this server cannot do refused."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from streamlit_assistant.api.fields import ImageFilePart, ImageUrlPart, TextPart, ToolResources
from streamlit_assistant.api.requests import CreateMessage, CreateThread
from streamlit_assistant.errors import InvalidRequest, NotFound
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


def to_tool_resources(resources: ToolResources | None) -> JSON:
    """Return tool resources; there are no files yet that they could name."""
    if resources is None:
        return {}
    search, code = resources.file_search, resources.code_interpreter
    for vector_store_id in search.vector_store_ids if search else ():
        raise NotFound(f"Vector store with id ['{vector_store_id}'] not found.")
    for file_id in code.file_ids if code else ():
        raise _no_file(file_id)
    if search and search.vector_stores:
        raise InvalidRequest(
            "This server has no vector stores yet: leave 'tool_resources' out.",
            param="tool_resources.file_search.vector_stores",
            code="unsupported_parameter",
        )
    found: JSON = to_json(resources)
    return {name: value for name, value in found.items() if value is not None}


def to_message(body: CreateMessage, thread_id: str, now: int, where: str = "") -> Message:
    """Return the record of a message sent by a client. `where` is its path in the request."""
    for attachment in body.attachments or ():
        raise _no_file(attachment.file_id)
    return Message(
        id=new_id("msg"),
        thread_id=thread_id,
        created_at=now,
        role=body.role,
        content=_content(body, f"{where}content"),
        completed_at=now,
        metadata=body.metadata or {},
    )


def to_messages(
    bodies: Sequence[CreateMessage], thread_id: str, now: int, where: str
) -> list[Message]:
    """Return the records of several messages sent with a thread or a run."""
    return [
        to_message(body, thread_id, now, f"{where}[{index}].") for index, body in enumerate(bodies)
    ]


def to_thread(
    body: CreateThread, owner: str, now: int, where: str = ""
) -> tuple[Thread, list[Message]]:
    """Return the record of a new thread and of its first messages."""
    thread = Thread(
        id=new_id("thread"),
        owner=owner,
        created_at=now,
        metadata=body.metadata or {},
        tool_resources=to_tool_resources(body.tool_resources),
        last_active_at=now,
    )
    return thread, to_messages(body.messages, thread.id, now, f"{where}messages")


def _content(body: CreateMessage, param: str) -> list[JSON]:
    parts = (
        [_text_part(body.content)]
        if isinstance(body.content, str)
        else [_part(part) for part in body.content]
    )
    if not any(_says_something(part) for part in parts):
        raise InvalidRequest(
            "Message content must be non-empty.", param=param, code="invalid_value"
        )
    return parts


def _part(part: TextPart | ImageUrlPart | ImageFilePart) -> JSON:
    if isinstance(part, TextPart):
        return _text_part(part.text)
    if isinstance(part, ImageFilePart):
        raise _no_file(part.image_file.file_id)
    image = part.image_url
    return {"type": "image_url", "image_url": {"url": image.url, "detail": image.detail or "auto"}}


def _text_part(text: str) -> JSON:
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _says_something(part: JSON) -> bool:
    return part["type"] != "text" or bool(part["text"]["value"].strip())


def _no_file(file_id: str) -> NotFound:
    return NotFound(f"No such File object: {file_id}", param="id")
