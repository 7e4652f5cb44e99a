"""The offline assistant."""

from collections.abc import Sequence
from typing import Any

import pytest

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
    Turn,
)
from streamlit_assistant.providers.offline import OfflineProvider


async def ask(*questions: str) -> str:
    request = ModelRequest("offline", "", [asked(question) for question in questions])
    deltas = [delta async for delta in OfflineProvider().stream(request)]
    assert deltas[-1] == Finish(FinishReason.STOP)
    return text_of(deltas)


def asked(question: str) -> PromptMessage:
    text = {"value": question, "annotations": []}
    return PromptMessage("user", [{"type": "text", "text": text}])


def text_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the capital of France?", "No language model is connected"),
        ("Tell me about the history of Rome", "No language model is connected"),
        ("法国的首都是哪里？", "还没有连接语言模型"),
        ("How do I set base_url in my program?", "Assistants API under `/v1`"),
        ("Where are my chats saved?", "SQLite"),
        ("我的数据保存在哪里？", "SQLite 数据库"),
        ("怎么看历史记录？", "侧边栏"),
        ("", "No language model is connected"),
    ],
)
async def test_it_helps_with_the_site_and_pretends_nothing_else(question: str, said: str) -> None:
    assert said in await ask(question)


async def test_it_answers_the_last_question() -> None:
    assert "还没有连接语言模型" in await ask("Hello", "你好")


async def test_it_says_how_to_connect_a_model() -> None:
    answer = await ask("hi")

    assert all(name in answer for name in ("Ollama", "OPENAI_API_KEY", "OPENAI_BASE_URL"))


SEARCH = {"name": "file_search"}
PASSAGES = "【0:0†a.md】\nCats sleep.\nA lot.\n\n【0:1†b 2.md】\n" + "long " * 300


async def said(question: str, *told: str, **fields: Any) -> list[Delta]:
    turns: list[Turn] = [asked(question), *(OutputMessage("call_1", text) for text in told)]
    request = ModelRequest("offline", "", turns, **fields)
    return [delta async for delta in OfflineProvider().stream(request)]


async def test_offered_a_search_it_searches_for_the_question() -> None:
    start, arguments, finish = await said("Do cats sleep?", functions=[SEARCH])

    assert isinstance(start, CallStart)
    assert start.name == "file_search"
    assert arguments == CallArguments(0, '{"queries": ["Do cats sleep?"]}')
    assert finish == Finish(FinishReason.TOOL_CALLS)


async def test_it_quotes_what_was_found_with_its_markers() -> None:
    deltas = await said("Do cats sleep?", PASSAGES, functions=[SEARCH])
    text = text_of(deltas)

    assert "No language model is connected" in text
    assert "> Cats sleep.\n> A lot. 【0:0†a.md】" in text
    assert "long … 【0:1†b 2.md】" in text


async def test_it_says_that_nothing_was_found_in_the_language_of_the_question() -> None:
    deltas = await said("猫睡觉吗？", "Nothing was found.", functions=[SEARCH])
    text = text_of(deltas)

    assert "没有找到" in text
