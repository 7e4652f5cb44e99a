"""The offline assistant."""

import pytest

from streamlit_assistant.providers.base import Finish, FinishReason, ModelRequest, PromptMessage
from streamlit_assistant.providers.base import TextDelta as Text
from streamlit_assistant.providers.offline import OfflineProvider


async def ask(*questions: str) -> str:
    messages = [
        PromptMessage("user", [{"type": "text", "text": {"value": q, "annotations": []}}])
        for q in questions
    ]
    deltas = [d async for d in OfflineProvider().stream(ModelRequest("offline", "", messages))]
    assert deltas[-1] == Finish(FinishReason.STOP)
    return "".join(d.text for d in deltas if isinstance(d, Text))


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
