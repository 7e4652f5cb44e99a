"""What the page says of how an answer came about: who gave it, from where, and what was thought."""

from dataclasses import replace

import pytest

from streamlit_assistant.chatbot import Notice, RunState
from streamlit_assistant.ui.texts import Texts
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import EN, ZH, send, shown
from tests.ui.scripted_bot import ScriptedBot

DETAILS = {
    "model_retired": {"asked": "gpt-4o", "answered": "gpt-6-luna"},
    "model_missing": {"asked": "gpt-4o", "answered": "llama3.2"},
    "model_replaced": {"asked": "gpt-4o", "answered": "llama3.2"},
    "fallback": {"asked": "gpt-6-sol", "answered": "llama3.2", "reason": "down"},
    "parameter_refused": {"parameter": "temperature", "model": "gpt-6-luna"},
    "cached": {},
    "model_shutdown": {"model": "gpt-5", "date": "2026-12-11"},
    "tool_choice_unmet": {},
    "approval_impossible": {"tool": "delete", "server": "files"},
    "file_lost": {"name": "table.csv"},
}


def noted(bot: ScriptedBot, *notices: Notice) -> None:
    stored = bot.open("thread_a", "Hi", "Hello")
    stored.run = replace(RunState("run_1", "completed", None, None), notices=notices)


@pytest.mark.parametrize("code", DETAILS)
@pytest.mark.parametrize(("locale", "texts"), [("en-US", EN), ("zh-CN", ZH)])
def test_the_page_says_how_the_newest_answer_came_about(
    open_page: OpenPage, bot: ScriptedBot, code: str, locale: str, texts: Texts
) -> None:
    noted(bot, Notice(code, "In English.", DETAILS[code]))
    page = open_page(locale)

    captions = [caption.value.replace("\\", "") for caption in page.main.caption]
    assert f":material/info: {texts(f'note.{code}', **DETAILS[code])}" in captions


def test_a_model_of_two_servers_is_not_said_to_stand_in_for_itself(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    noted(bot, Notice("fallback", "", {"asked": "llama3.2", "answered": "llama3.2"}))
    page = open_page()

    captions = [caption.value.replace("\\", "") for caption in page.main.caption]
    assert f":material/info: {EN('note.fallback.same', asked='llama3.2')}" in captions


@pytest.mark.parametrize(("locale", "texts"), [("en-US", EN), ("zh-CN", ZH)])
def test_a_model_that_nobody_named_is_called_the_usual_one(
    open_page: OpenPage, bot: ScriptedBot, locale: str, texts: Texts
) -> None:
    noted(bot, Notice("fallback", "", {"asked": "default", "answered": "llama3.2"}))
    page = open_page(locale)

    captions = [caption.value.replace("\\", "") for caption in page.main.caption]
    assert f":material/info: {texts('note.fallback.default', answered='llama3.2')}" in captions


@pytest.mark.parametrize("notice", [Notice("new", "Said.", {}), Notice("fallback", "Said.", {})])
def test_what_the_page_has_no_words_for_is_said_in_the_servers(
    open_page: OpenPage, bot: ScriptedBot, notice: Notice
) -> None:
    noted(bot, notice)
    page = open_page()

    captions = [caption.value.replace("\\", "") for caption in page.main.caption]
    assert ":material/info: Said." in captions


def test_a_models_name_cannot_format_the_page(open_page: OpenPage, bot: ScriptedBot) -> None:
    noted(bot, Notice("model_missing", "", {"asked": "**a**", "answered": "[b](http://x)"}))
    page = open_page()

    [caption] = [each.value for each in page.main.caption if "has no" in each.value]
    assert "**a**" not in caption
    assert "[b](" not in caption


def test_thoughts_stand_folded_above_the_answer(open_page: OpenPage, bot: ScriptedBot) -> None:
    stored = bot.open("thread_a", "Hi", "Hello")
    stored.messages[-1] = replace(stored.messages[-1], reasoning="They *greet* me.\n" * 2000)
    page = open_page()

    [thoughts] = page.expander
    assert thoughts.label == EN("reasoning.title")
    assert not thoughts.proto.expanded
    assert thoughts.text[0].value.startswith("They *greet* me.")
    assert thoughts.text[0].value.endswith(" …")
    assert shown(page)[1][1].endswith("Hello")


def test_an_answer_without_thoughts_has_no_fold(open_page: OpenPage, bot: ScriptedBot) -> None:
    assert not send(open_page(), "Hi").expander
