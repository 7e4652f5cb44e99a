"""What programs have written into a chat, as the page shows it."""

from dataclasses import replace

import pytest

from streamlit_assistant.chat.assistants_payloads import Message
from streamlit_assistant.chatbot import RunState
from streamlit_assistant.ui.texts import Texts
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import EN, ZH, buttons, notices, shown
from tests.ui.scripted_bot import ScriptedBot


def add(bot: ScriptedBot, role: str, text: str, kind: str = "") -> None:
    """Have a program write a message into the open chat."""
    message = bot.add(role, text)
    messages = bot.stored[bot.thread_id or ""].messages
    messages[-1] = replace(message, kind=kind)


@pytest.mark.parametrize(("locale", "words"), [("en-US", EN), ("zh-CN", ZH)])
def test_results_and_instructions_are_named_and_shown_as_written(
    open_page: OpenPage, bot: ScriptedBot, locale: str, words: Texts
) -> None:
    bot.open("thread_a")
    add(bot, "assistant", "Be *brief*.", "system")
    add(bot, "user", "How cold is it?")
    add(bot, "assistant", '`weather({"city": "北京"})`', "ai")
    add(bot, "assistant", '{"°C": -3, "_wind_": "<b>$5$</b>"}', "tool")
    add(bot, "assistant", "It is **cold**.")

    page = open_page(locale)

    captions = [[each.value for each in bubble.caption] for bubble in page.chat_message]
    assert captions == [[words("exchanged.instructions")], [], [], [words("exchanged.result")], []]
    assert [text.value for text in page.chat_message[0].text] == ["Be *brief*."]
    assert [text.value for text in page.chat_message[3].text] == [
        '{"°C": -3, "_wind_": "<b>$5$</b>"}'
    ]
    assert shown(page)[2] == ("assistant", '`weather({"city": "北京"})`')


def test_what_says_nothing_is_not_shown(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hello")
    add(bot, "assistant", "", "tool")
    add(bot, "assistant", "Hi.")

    assert shown(open_page()) == [("user", "Hello"), ("assistant", "Hi.")]


def test_what_a_program_has_answered_needs_no_answer(open_page: OpenPage, bot: ScriptedBot) -> None:
    stored = bot.open("thread_a", "Hello", "Hi.")
    for run in (None, RunState("run_old", "failed", "It broke.", "server_error")):
        stored.run = run
        bot.thread_id = "thread_a"
        page = open_page()
        assert notices(page) == []
        assert not {"way-retry", "way-continue"} & set(buttons(page))


def test_a_run_that_waits_for_a_program_is_still_told_of(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", "Hello", "Hi.").run = RunState("run_1", "requires_action", None, None)

    assert notices(open_page()) == [EN("ending.requires_action")]


def test_the_kind_of_a_message_is_read_from_the_api() -> None:
    plain = {"id": "msg_1", "role": "assistant", "content": []}
    kinds = [
        Message.model_validate(plain | extension).record().kind
        for extension in ({}, {"langchain": {"type": "tool", "data": {"content": "x"}}})
    ]

    assert kinds == ["", "tool"]
