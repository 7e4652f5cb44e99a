"""The chat in the URL."""

import pytest
import streamlit as st

from streamlit_assistant.chatbot import ChatError, ErrorKind
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import EN, click, notices, send, shown
from tests.ui.scripted_bot import Answer, ScriptedBot


def test_the_address_opens_its_chat(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hi", "Hello")

    assert shown(open_page()) == [("user", "Hi"), ("assistant", "Hello")]


@pytest.mark.parametrize("kind", ["not_found", "rejected"])
def test_an_address_of_nothing_gives_a_plain_notice_and_a_new_chat(
    open_page: OpenPage, bot: ScriptedBot, kind: ErrorKind
) -> None:
    bot.thread_id = "thread_nobodys"
    bot.refuse["latest_run"] = ChatError(kind, "No")
    page = open_page()

    assert notices(page) == [EN("notice.unknown_chat")]
    assert page.header[0].value == EN("greeting.title")
    assert "thread" not in page.query_params

    bot.refuse.clear()
    assert shown(send(page, "Hi")) == [("user", "Hi"), ("assistant", "Hello there.")]


def test_going_back_in_the_browser_opens_the_chat_left(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_b", "In B", "Answer B", title="B")
    bot.open("thread_a", "In A", "Answer A", title="A")
    page = click(open_page(), "chat-thread_b")
    assert shown(page)[0] == ("user", "In B")
    assert page.query_params["thread"] == "thread_b"

    page.query_params["thread"] = "thread_a"
    assert shown(page.run())[0] == ("user", "In A")
    page.query_params.clear()
    assert shown(page.run()) == []


def test_new_chat_leaves_the_old_one_alone(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hi", "Hello")
    page = click(open_page(), "new-chat")
    assert "thread" not in page.query_params

    page = send(page, "Fresh")

    assert shown(page) == [("user", "Fresh"), ("assistant", "Hello there.")]
    assert len(bot.stored["thread_a"].messages) == 2


def test_a_chat_left_while_its_thread_was_made_keeps_its_prompt(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer(["Half"], cut=st.stop)]
    page = send(open_page(), "Hi")

    page = click(page, "new-chat")

    assert shown(page) == []
    assert bot.calls.count("post") == 1
