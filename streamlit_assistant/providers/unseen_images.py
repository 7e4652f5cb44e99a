"""Images before a model that sees none: those of former questions must not spoil the next one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from streamlit_assistant.providers.base import (
    CallsMessage,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.records import JSON

UNSEEN = "[Here was an image. This model cannot see images.]"
_PLACEHOLDER: JSON = {"type": "text", "text": {"value": UNSEEN}}


def asks_about_image(request: ModelRequest) -> bool:
    """Return whether there is an image in the question that is to be answered."""
    return any(map(_has_image, _last_question(request.messages)))


def without_images(request: ModelRequest) -> ModelRequest:
    """Return the request with words in place of its images."""
    return replace(request, messages=[_without(turn) for turn in request.messages])


def without_former_images(request: ModelRequest) -> ModelRequest | None:
    """Return the same, or None where it would change nothing, or the question itself."""
    if asks_about_image(request) or not has_images(request):
        return None
    return without_images(request)


def has_images(request: ModelRequest) -> bool:
    """Return whether there is an image anywhere."""
    return any(map(_has_image, request.messages))


def _last_question(turns: Sequence[Turn]) -> Iterator[Turn]:
    # What was asked before it may have failed for its image: that must not fail this one too.
    for turn in reversed(turns):
        yield turn
        if isinstance(turn, PromptMessage):
            return


def _has_image(turn: Turn) -> bool:
    return not isinstance(turn, OutputMessage) and any(map(_is_image, turn.content))


def _without(turn: Turn) -> Turn:
    if isinstance(turn, OutputMessage) or not _has_image(turn):
        return turn
    content = [_PLACEHOLDER if _is_image(part) else part for part in turn.content]
    if isinstance(turn, CallsMessage):
        return replace(turn, content=content)
    return replace(turn, content=content)


def _is_image(part: JSON) -> bool:
    return part.get("type") == "image_url"
