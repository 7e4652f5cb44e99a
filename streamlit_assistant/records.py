"""Frozen records of the protocol, the floor on which store and runs meet.

Times are Unix seconds. Nested pieces that the server only passes on (tools, content parts,
metadata) stay the JSON they are on the wire.
"""

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

JSON = dict[str, Any]
Clock = Callable[[], float]
T = TypeVar("T")

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 24

# Is told every id that is made while a request is served which may come again.
ID_MADE: ContextVar[Callable[[str], None] | None] = ContextVar("id_made", default=None)


def new_id(prefix: str) -> str:
    """Return an unguessable id such as `thread_` and 24 letters or digits; `file-` has a hyphen."""
    made = f"{prefix}{'-' if prefix == 'file' else '_'}" + "".join(
        secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)
    )
    if (told := ID_MADE.get()) is not None:
        told(made)
    return made


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"  # waits for an executor
    IN_PROGRESS = "in_progress"  # an executor works on it
    REQUIRES_ACTION = "requires_action"  # waits for tool outputs
    CANCELLING = "cancelling"  # asked to stop, not yet stopped
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"  # a limit cut the answer off
    EXPIRED = "expired"


class MessageStatus(StrEnum):
    """Whether a message is whole."""

    IN_PROGRESS = "in_progress"
    INCOMPLETE = "incomplete"
    COMPLETED = "completed"


class StepStatus(StrEnum):
    """Where a run step stands."""

    IN_PROGRESS = "in_progress"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Assistant:
    """A persona: a model with instructions and tools. None means "the default"."""

    id: str
    owner: str
    created_at: int
    model: str
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    tools: Sequence[JSON] = ()
    tool_resources: JSON = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    response_format: str | JSON = "auto"
    reasoning_effort: str | None = None


@dataclass(frozen=True)
class Thread:
    """A conversation. `title`, `last_active_at` and `message_count` are ours, not OpenAI's.

    A `temporary` one is in no list, and goes by itself once it has been left.
    """

    id: str
    owner: str
    created_at: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    tool_resources: JSON = field(default_factory=dict)
    title: str | None = None
    last_active_at: int = 0
    message_count: int = 0
    temporary: bool = False


@dataclass(frozen=True)
class Message:
    """One message of a thread; `content` is a list of content parts as on the wire.

    `reasoning` is what the model thought before it answered, where it says so. `langchain` is the
    message as LangChain had it, `{"type": …, "data": {…}}`, where role and content do not say all;
    its `data` lacks the `content` that is the message's own. `langchain_id` is its id there.
    """

    id: str
    thread_id: str
    created_at: int
    role: str
    content: Sequence[JSON]
    status: MessageStatus = MessageStatus.COMPLETED
    incomplete_reason: str | None = None
    completed_at: int | None = None
    incomplete_at: int | None = None
    assistant_id: str | None = None
    run_id: str | None = None
    attachments: Sequence[JSON] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    reasoning: str | None = None
    langchain: JSON | None = None
    langchain_id: str | None = None


@dataclass(frozen=True)
class Run:
    """One execution of an assistant on a thread.

    `lease_owner` and `attempt` say which executor may write; `last_event` is the sequence number
    of the newest stored event. `tool_resources` are the assistant's, with what creating thread and
    run together put over them; `includes_results`: its events carry what file search found.
    `options` is what the assistant asks for beyond the protocol: `hosted_tools`, tools of the
    Responses API, and `fallback_models`. `notices` (`code`, `message`, `details`) say how the
    answer came about where that needs saying. `begun` is the answer that a model server goes on
    with by itself: its `id`, the `model`, and how many `steps` the run had before it.
    """

    id: str
    owner: str
    thread_id: str
    assistant_id: str
    created_at: int
    model: str
    status: RunStatus = RunStatus.QUEUED
    instructions: str = ""
    tools: Sequence[JSON] = ()
    tool_resources: JSON = field(default_factory=dict)
    includes_results: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: JSON = field(default_factory=lambda: {"type": "auto"})
    tool_choice: str | JSON = "auto"
    parallel_tool_calls: bool = True
    response_format: str | JSON = "auto"
    reasoning_effort: str | None = None
    required_action: JSON | None = None
    last_error: JSON | None = None
    incomplete_details: JSON | None = None
    usage: JSON | None = None
    expires_at: int | None = None
    started_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    lease_owner: str | None = None
    attempt: int = 0
    takeovers: int = 0
    last_event: int = 0
    options: JSON = field(default_factory=dict)
    notices: Sequence[JSON] = ()
    begun: JSON | None = None


@dataclass(frozen=True)
class RunStep:
    """One thing a run did: wrote a message or called tools.

    `upstream` is what the model server that made the calls wants to hear of them again.
    """

    id: str
    run_id: str
    thread_id: str
    assistant_id: str
    created_at: int
    type: str
    step_details: JSON
    status: StepStatus = StepStatus.IN_PROGRESS
    last_error: JSON | None = None
    expired_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    usage: JSON | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    upstream: JSON | None = None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One server-sent event of a run. `data` is JSON text, encoded once for all followers."""

    seq: int
    name: str
    data: str


@dataclass(frozen=True)
class PageQuery:
    """What part of a list is wanted: `limit` items behind `after` or ahead of `before`."""

    limit: int = 20
    order: str = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list and whether it goes on in the direction asked for."""

    items: Sequence[T]
    has_more: bool
