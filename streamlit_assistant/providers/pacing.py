"""How fast a model server may be asked: the seam to whoever counts for all processes."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import (
    CallsMessage,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.records import JSON
from streamlit_assistant.token_estimate import tokens_of

IMAGE_TOKENS = 1000  # about; the bytes of an image say nothing of it
USUAL_ANSWER = 500  # tokens, where no limit is set


class Pacer(Protocol):
    """Keeps to the owner's limits of requests and tokens a minute."""

    async def reserve(self, server: str, tokens: int) -> float:
        """Take a place for a request; return in how many seconds it may be sent."""
        ...


def prompt_tokens(request: ModelRequest) -> int:
    """Return about how many tokens a request shows to the model."""
    texts = [request.instructions, *(to_json(function) for function in request.functions)]
    for turn in request.messages:
        texts += _texts(turn)
    images = sum(_is_image(part) for turn in request.messages for part in _parts(turn))
    return tokens_of(sum(len(text.encode()) for text in texts)) + images * IMAGE_TOKENS


def expected_tokens(request: ModelRequest) -> int:
    """Return about how many tokens a request costs, its answer included."""
    limit = request.max_completion_tokens
    answer = USUAL_ANSWER if limit is None else min(limit, USUAL_ANSWER)
    return prompt_tokens(request) + answer


def _texts(turn: Turn) -> Iterator[str]:
    if isinstance(turn, OutputMessage):
        yield turn.output
        return
    if isinstance(turn, CallsMessage):
        yield from (call.name + call.arguments for call in turn.calls)
    for part in turn.content:
        match part:
            case {"type": "text", "text": {"value": str(text)}} | {"refusal": str(text)}:
                yield text
            case {"type": "file", "file": {"url": str(url)}}:
                yield url[: len(url) // 2]  # bytes in base64, most of them not words


def _parts(turn: Turn) -> Sequence[JSON]:
    return turn.content if isinstance(turn, PromptMessage | CallsMessage) else ()


def _is_image(part: JSON) -> bool:
    return part.get("type") == "image_url"
