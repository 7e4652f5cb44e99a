"""The seam between runs and model servers: one method, a request in, deltas out."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from streamlit_assistant.records import JSON


@dataclass(frozen=True)
class PromptMessage:
    """One message of the conversation, its `content` parts as the Assistants API stores them.

    Images are `image_url` parts; the bytes of an uploaded one stand in its address.
    """

    role: str
    content: Sequence[JSON]


@dataclass(frozen=True)
class FunctionCall:
    """A call the model made; `arguments` is JSON text, or what the model took for it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class CallsMessage:
    """A turn in which the model called functions, and perhaps said something before."""

    calls: Sequence[FunctionCall]
    content: Sequence[JSON] = ()


@dataclass(frozen=True)
class OutputMessage:
    """What a called function returned."""

    call_id: str
    output: str


Turn = PromptMessage | CallsMessage | OutputMessage


@dataclass(frozen=True)
class ModelRequest:
    """Everything a model server needs for one answer. None means "leave it to the server".

    `functions` are definitions as in a function tool. `tool_choice` is `auto`, `none`, `required`
    or the name of a function after a colon, as in `function:get_weather`.
    """

    model: str
    instructions: str
    messages: Sequence[Turn]
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    response_format: str | JSON = "auto"
    reasoning_effort: str | None = None
    functions: Sequence[JSON] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More text of a refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's thinking. Not part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """The model begins to call a function; `index` counts the calls of this answer from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the arguments of the call with that index."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of this request, as the model server counted them."""

    prompt_tokens: int
    completion_tokens: int


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True)
class Finish:
    """The model stopped by itself. A stream without it was cut off."""

    reason: FinishReason


Delta = TextDelta | RefusalDelta | ReasoningDelta | CallStart | CallArguments | Usage | Finish


class Provider(Protocol):
    """Streams the deltas of one answer."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield deltas, with exactly one `Finish` among them; raise `UpstreamError` on failure.

        Closing the generator closes the connection to the model server.
        """
        ...


@dataclass(frozen=True)
class ModelChoice:
    """A provider and the model it is asked for; `context_tokens` None: nobody says how many."""

    provider: Provider
    model: str
    context_tokens: int | None = None


class ProviderSource(Protocol):
    """Chooses who answers a run."""

    async def choose(self, model: str) -> ModelChoice:
        """Return the provider for an assistant's model; raise `UpstreamError` if none can be."""
        ...
