"""The offline assistant: says plainly that no model is connected, and helps with the site."""

import re
from collections.abc import AsyncGenerator

from streamlit_assistant.catalogue import CHINESE, ENGLISH, read_catalogue
from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    TextDelta,
)

OFFLINE_MODEL = "offline"

_HAN = re.compile(r"[\u4e00-\u9fff]")
# Pieces about as long as a model's tokens, in languages with and without spaces.
_PIECE = re.compile(r"\s*\S{1,8}|\s+$")

# What a person may ask about the site itself. Whole phrases: a question about the history of Rome
# is not one about the list of chats.
_TOPICS = {
    "offline.api": (
        "/v1",
        "base_url",
        "api key",
        "assistants api",
        "api 密钥",
        "api密钥",
        "api 接口",
    ),
    "offline.data": ("my data", "chats stored", "chats saved", "我的数据", "保存在哪", "数据保存"),
    "offline.chats": (
        *("new chat", "old chat", "chat history", "sidebar"),
        *("新对话", "历史记录", "聊天记录", "侧边栏"),
    ),
}
_NO_MODEL = "offline.no_model"


class OfflineProvider:
    """Answers from the site's own help. It never pretends to be a model."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer to the last question; see `Provider`."""
        question = _last_question(request)
        words = read_catalogue(CHINESE if _HAN.search(question) else ENGLISH)
        for piece in _PIECE.findall(words[_topic(question)]):
            yield TextDelta(piece)
        yield Finish(FinishReason.STOP)


def _last_question(request: ModelRequest) -> str:
    for message in reversed(request.messages):
        if message.role == "user":
            return " ".join(p["text"]["value"] for p in message.content if p["type"] == "text")
    return ""


def _topic(question: str) -> str:
    asked = question.lower()
    found = (key for key, phrases in _TOPICS.items() if any(words in asked for words in phrases))
    return next(found, _NO_MODEL)
