"""The offline assistant: says plainly that no model is connected, and helps with the site."""

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence

from streamlit_assistant.catalogue import CHINESE, ENGLISH, read_catalogue
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    TextDelta,
)
from streamlit_assistant.records import new_id

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

# The names by which the search in files is offered, and how it shows what it found.
SEARCHES = ("file_search", "search_in_files")
_PASSAGE = re.compile(r"^(【\d+:\d+†[^【】]*】)\n(.*?)(?=^【\d+:\d+†|\Z)", re.MULTILINE | re.DOTALL)
MOST_QUOTES = 3
LONGEST_QUOTE = 600  # characters


class OfflineProvider:
    """Answers from the site's own help and from the user's files. It never pretends to be a model.

    Offered a search in files, it searches for the question itself and quotes what was found.
    """

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer to the last question; see `Provider`."""
        question = _last_question(request)
        found = _passages(request)
        search = next((f["name"] for f in request.functions if f["name"] in SEARCHES), None)
        if search is not None and found is None and question:
            queries = json.dumps({"queries": [question]}, ensure_ascii=False)
            yield CallStart(0, new_id("call"), search)
            yield CallArguments(0, queries)
            yield Finish(FinishReason.TOOL_CALLS)
            return
        words = read_catalogue(CHINESE if _HAN.search(question) else ENGLISH)
        text = words[_topic(question)] if found is None else _quoted(found, words)
        for piece in _PIECE.findall(text):
            yield TextDelta(piece)
        yield Finish(FinishReason.STOP)

    async def cancel(self, begun: str) -> None:
        """Do nothing: no answer goes on without whoever reads it."""


def _last_question(request: ModelRequest) -> str:
    for turn in reversed(request.messages):
        if isinstance(turn, PromptMessage) and turn.role == "user":
            return " ".join(p["text"]["value"] for p in turn.content if p["type"] == "text")
    return ""


def _passages(request: ModelRequest) -> list[tuple[str, str]] | None:
    """Return marker and text of what was found, or None where nobody searched yet."""
    outputs = [turn.output for turn in request.messages if isinstance(turn, OutputMessage)]
    if not outputs:
        return None
    return [(found[1], found[2].strip()) for found in _PASSAGE.finditer(outputs[-1])]


def _quoted(found: Sequence[tuple[str, str]], words: Mapping[str, str]) -> str:
    if not found:
        return words["offline.no_passages"]
    quotes = [f"{_quote(text)} {marker}" for marker, text in found[:MOST_QUOTES]]
    return "\n\n".join([words["offline.passages"], *quotes])


def _quote(text: str) -> str:
    short = text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE].rstrip() + " …"
    return "\n".join(f"> {line}".rstrip() for line in short.splitlines())


def _topic(question: str) -> str:
    asked = question.lower()
    found = (key for key, phrases in _TOPICS.items() if any(words in asked for words in phrases))
    return next(found, _NO_MODEL)
