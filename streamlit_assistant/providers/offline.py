"""The offline assistant: says plainly that no model is connected, and helps with the site."""

import re
from collections.abc import AsyncGenerator

from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    TextDelta,
)
from streamlit_assistant.providers.offline_help import NO_MODEL, TOPICS, Topic

OFFLINE_MODEL = "offline"

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Pieces about as long as a model's tokens, in languages with and without spaces.
_PIECE = re.compile(r"\s*\S{1,8}|\s+$")


class OfflineProvider:
    """Answers from the site's own help. It never pretends to be a model."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer to the last question; see `Provider`."""
        question = _last_question(request)
        topic = _topic(question)
        answer = topic.chinese if _CHINESE.search(question) else topic.english
        for piece in _PIECE.findall(answer):
            yield TextDelta(piece)
        yield Finish(FinishReason.STOP)


def _last_question(request: ModelRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return " ".join(p["text"]["value"] for p in message.content if p["type"] == "text")
    return ""


def _topic(question: str) -> Topic:
    asked = question.lower()
    found = (topic for topic in TOPICS if any(word in asked for word in topic.keywords))
    return next(found, NO_MODEL)
