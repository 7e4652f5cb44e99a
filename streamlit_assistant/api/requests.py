"""Request bodies, one class an operation, and how JSON is read into them."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from starlette.requests import Request

from streamlit_assistant.api.fields import (
    Body,
    Content,
    ExistingResources,
    Instructions,
    Metadata,
    ReasoningEffort,
    Temperature,
    TokenLimit,
    ToolResources,
    TopP,
)
from streamlit_assistant.api.langchain_fields import LangChainMessage
from streamlit_assistant.api.run_fields import ResponseFormat, Truncation
from streamlit_assistant.api.strict_json import read_json
from streamlit_assistant.api.tool_fields import RunTools, ToolChoice, Tools
from streamlit_assistant.api.validation import M, parse
from streamlit_assistant.errors import InvalidRequest

MOST_BODY_BYTES = 16 * 1024 * 1024
MOST_MESSAGES = 1_000  # in one request
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


class _AssistantFields(Body):
    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    description: Annotated[str, StringConstraints(max_length=512)] | None = None
    instructions: Instructions | None = None
    tools: Tools = Field(default_factory=list)
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class CreateAssistant(_AssistantFields):
    """`POST /assistants`"""

    model: Annotated[str, StringConstraints(min_length=1)]


class ModifyAssistant(_AssistantFields):
    """`POST /assistants/{assistant_id}`"""

    tool_resources: ExistingResources | None = None
    model: Annotated[str, StringConstraints(min_length=1)] | None = None


class AttachmentTool(Body):
    """A tool that may read an attached file."""

    type: Literal["code_interpreter", "file_search"]


class Attachment(Body):
    """A file attached to a message."""

    file_id: str
    tools: list[AttachmentTool]


class CreateMessage(Body):
    """`POST /threads/{thread_id}/messages`"""

    role: Literal["user", "assistant"]
    content: Content
    attachments: Annotated[list[Attachment], Field(max_length=500, fail_fast=True)] | None = None
    metadata: Metadata | None = None
    langchain: LangChainMessage | None = None  # our extension


class ModifyMessage(Body):
    """`POST /threads/{thread_id}/messages/{message_id}`"""

    metadata: Metadata | None = None


Messages = Annotated[list[CreateMessage], Field(max_length=MOST_MESSAGES, fail_fast=True)]


class CreateMessages(Body):
    """`POST /threads/{thread_id}/messages/batch`"""

    messages: Messages


class CreateThread(Body):
    """`POST /threads`; `temporary` is our extension: a thread that is not to be kept."""

    messages: Messages = Field(default_factory=list)
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temporary: bool | None = None


class ModifyThread(Body):
    """`POST /threads/{thread_id}`"""

    tool_resources: ExistingResources | None = None
    metadata: Metadata | None = None


class _RunFields(Body):
    assistant_id: str
    model: Annotated[str, StringConstraints(min_length=1)] | None = None
    instructions: Instructions | None = None
    tools: RunTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    truncation_strategy: Truncation | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


class CreateRun(_RunFields):
    """`POST /threads/{thread_id}/runs`"""

    additional_instructions: Instructions | None = None
    additional_messages: Messages | None = None
    reasoning_effort: ReasoningEffort | None = None


class CreateThreadAndRun(_RunFields):
    """`POST /threads/runs`"""

    thread: CreateThread | None = None
    tool_resources: ExistingResources | None = None


async def read_body(request: Request, model: type[M]) -> M:
    """Return the request's JSON body, validated; an absent body is an empty object."""
    return parse(model, await _read_json(request))


async def _read_json(request: Request) -> Any:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BODY_BYTES:
            raise InvalidRequest(
                f"The request body is larger than {MOST_BODY_BYTES // 1024**2} MB. Upload images "
                "and documents as files.",
                code="request_too_large",
            )
    if not raw.strip():
        return {}
    try:
        body = read_json(raw)
        if _HALF_CHARACTER.search(raw):
            json.dumps(body, ensure_ascii=False).encode()
        return body
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"We could not parse the JSON body of your request: {error}.", code="invalid_json"
        ) from None
