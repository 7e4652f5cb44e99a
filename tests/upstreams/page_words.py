"""What the page says of a chat, in both of its languages."""

from pathlib import Path

import openai
from streamlit.testing.v1 import AppTest

import streamlit_assistant
from streamlit_assistant.chatbot import ChatBot
from tests.ui.page_reading import EN, ZH, notices, shown
from tests.upstreams.talk import Outcome, Talk

PAGE = Path(streamlit_assistant.__file__).parent / "ui" / "page.py"
NOTE = ":material/info: "
TEXTS = {"en-US": EN, "zh-CN": ZH}


def page_of(client: openai.OpenAI, talk: Talk, locale: str) -> AppTest:
    """Open the page at a chat."""
    page = AppTest.from_file(str(PAGE), default_timeout=20)
    page.session_state["chatbot"] = ChatBot(client, talk.assistant_id, talk.thread_id)
    page.query_params["thread"] = talk.thread_id
    page.context["locale"] = locale
    page.context["timezone"] = "Asia/Shanghai"
    return page.run()


def check_page(
    client: openai.OpenAI,
    talk: Talk,
    outcome: Outcome,
    locale: str,
    *,
    key: str | None = None,
    text: str | None = None,
) -> None:
    """See that the page shows the answer, says what the catalogue has for it, and why.

    `key` is of what it says about the run, None: nothing; `text` is what was answered.
    """
    page = page_of(client, talk, locale)
    said = [] if key is None else [words(locale, key)]
    assert notices(page) == said
    details = [line.value for box in page.expander for line in box.text]
    error = outcome.run.last_error
    assert [line for line in details if error and line == error.message] == (
        [error.message] if error else []
    )
    noted = [words(locale, f"note.{each['code']}", **each["details"]) for each in outcome.notices]
    captions = [as_read(caption.value) for caption in page.main.caption]
    assert [line.removeprefix(NOTE) for line in captions if line.startswith(NOTE)] == noted
    if text:
        name, drawn = shown(page)[-1]
        assert name == "assistant"
        assert as_read(drawn).split() == text.split()


def words(locale: str, key: str, **values: str) -> str:
    """Return what the catalogue of a language has for a key, which every language has."""
    assert all(key in texts and texts.catalogue[key].strip() for texts in TEXTS.values()), key
    return TEXTS[locale](key, **values)


def as_read(markdown: str) -> str:
    """Return simple markdown as a person reads it."""
    return markdown.replace("\\", "")
