"""The seam between runs and model servers: one method, a request in, deltas out."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from streamlit_assistant.records import JSON


@dataclass(frozen=True)
class PromptMessage:
    """One message of the conversation, its `content` parts as the Assistants API stores them."""

    role: str
    content: Sequence[JSON]


@dataclass(frozen=True)
class ModelRequest:
    """Everything a model server needs for one answer. None means "leave it to the server"."""

    model: str
    instructions: str
    messages: Sequence[PromptMessage]
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    response_format: str | JSON = "auto"
    reasoning_effort: str | None = None


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
class Usage:
    """Tokens of this request, as the model server counted them."""

    prompt_tokens: int
    completion_tokens: int


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class Finish:
    """The model stopped by itself. A stream without it was cut off."""

    reason: FinishReason


Delta = TextDelta | RefusalDelta | ReasoningDelta | Usage | Finish


class Provider(Protocol):
    """Streams the deltas of one answer."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield deltas, with exactly one `Finish` among them; raise `UpstreamError` on failure.

        Closing the generator closes the connection to the model server.
        """
        ...


@dataclass(frozen=True)
class ModelChoice:
    """A provider and the model it is asked for."""

    provider: Provider
    model: str


class ProviderSource(Protocol):
    """Chooses who answers a run."""

    async def choose(self, model: str) -> ModelChoice:
        """Return the provider for an assistant's model; raise `UpstreamError` if none can be."""
        ...
