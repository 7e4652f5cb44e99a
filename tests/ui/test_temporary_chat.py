"""The chat of which nothing is kept."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from streamlit_assistant.chatbot import Ending
from streamlit_assistant.ui.texts import Texts
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import DOWN, EN, ZH, buttons, click, notices, send, shown
from tests.ui.scripted_bot import Answer, ScriptedBot, StoredThread


def begun(open_page: OpenPage, locale: str = "en-US") -> AppTest:
    return click(open_page(locale), "chat-temporary")


def captions(page: AppTest) -> list[str]:
    return [caption.value for caption in page.caption]


def says_so(page: AppTest) -> bool:
    return any(EN("composer.temporary") in caption for caption in captions(page))


@pytest.mark.parametrize(("locale", "texts"), [("en-US", EN), ("zh-CN", ZH)])
def test_it_says_what_it_is_before_anything_is_written(
    open_page: OpenPage, locale: str, texts: Texts
) -> None:
    page = begun(open_page, locale)

    assert [header.value for header in page.header] == [texts("greeting.temporary.title")]
    assert texts("greeting.temporary.text") in [text.value for text in page.markdown]
    assert any(texts("composer.temporary") in caption for caption in captions(page))
    assert "open-chat-temporary" in buttons(page)
    assert "suggestion-explain" in buttons(page)


def test_an_ordinary_chat_says_nothing_of_the_kind(open_page: OpenPage) -> None:
    page = send(open_page(), "Hi")

    assert not says_so(page)
    assert "chat-temporary" in buttons(page)


def test_it_goes_on_and_neither_the_address_nor_the_list_tells_of_it(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = send(send(begun(open_page), "One"), "Two")
    assert "Hello there." in str(page.session_state["temporary_chat"])

    assert shown(page) == [
        *[("user", "One"), ("assistant", "Hello there.")],
        *[("user", "Two"), ("assistant", "Hello there.")],
    ]
    assert says_so(page)
    assert page.query_params["thread"] == "temporary"
    assert [stored.temporary for stored in bot.stored.values()] == [True]
    assert EN("sidebar.empty") in captions(page)
    assert notices(page) == []


def test_its_words_are_kept_nowhere_but_in_the_session(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = send(begun(open_page), "One")
    bot.refuse["latest_run"] = DOWN

    page.run()

    assert shown(page) == [("user", "One"), ("assistant", "Hello there.")]
    assert notices(page) == [EN("problem.unreachable")]
    assert shown(open_page()) == []


@pytest.mark.parametrize("way", ["new-chat", "chat-thread_b", "open-chat-temporary"])
def test_whoever_leaves_it_ends_it(open_page: OpenPage, bot: ScriptedBot, way: str) -> None:
    bot.stored["thread_b"] = StoredThread(title="B")
    page = send(begun(open_page), "One")
    assert len(bot.stored) == 2

    page = click(page, way)

    assert shown(page) == []
    assert list(bot.stored) == ["thread_b"]
    assert says_so(page) == (way == "open-chat-temporary")
    assert "Hello there." not in str(page.session_state["temporary_chat"])


def test_the_back_button_ends_it(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "In A", "Answer A")
    page = send(begun(open_page), "One")

    page.query_params["thread"] = "thread_a"

    assert shown(page.run()) == [("user", "In A"), ("assistant", "Answer A")]
    assert list(bot.stored) == ["thread_a"]


def test_a_tab_without_its_session_shows_an_empty_one(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.thread_id = "temporary"  # as it stands in the address

    page = open_page()

    assert shown(page) == []
    assert page.header[0].value == EN("greeting.temporary.title")
    assert shown(send(page, "Hi")) == [("user", "Hi"), ("assistant", "Hello there.")]
    assert [stored.temporary for stored in bot.stored.values()] == [True]
    assert notices(page) == []


def test_a_new_chat_after_it_is_an_ordinary_one(open_page: OpenPage, bot: ScriptedBot) -> None:
    page = click(send(begun(open_page), "One"), "new-chat")

    page = send(page, "Two")

    assert shown(page) == [("user", "Two"), ("assistant", "Hello there.")]
    assert [stored.temporary for stored in bot.stored.values()] == [False]
    assert page.query_params["thread"] == bot.thread_id


def test_it_can_be_left_though_the_server_does_not_answer(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = send(begun(open_page), "One")
    bot.refuse["delete"] = DOWN

    page = click(page, "new-chat")

    assert shown(page) == []
    assert bot.thread_id is None
    assert not says_so(page)
    assert notices(page) == []


def test_what_waited_in_it_goes_with_it(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.refuse["post"] = DOWN
    page = send(begun(open_page), "A secret")
    assert shown(page) == [("user", "A secret")]

    page = click(page, "new-chat")

    assert shown(page) == []
    assert shown(click(page, "chat-temporary")) == []


def test_what_waits_in_a_new_chat_is_not_said_in_it(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.refuse["begin"] = DOWN
    page = send(open_page(), "For later")

    page = click(page, "chat-temporary")

    assert shown(page) == []


def test_it_goes_on_after_the_server_has_forgotten_it(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer(["First."]), Answer(["Second."])]
    page = send(begun(open_page), "One")
    bot.stored.clear()

    page = send(page, "Two")

    assert [text for _, text in shown(page)] == ["One", "First.", "Two", "Second."]
    assert notices(page) == []
    (thread,) = bot.stored.values()
    assert thread.temporary
    assert [message.text for message in thread.messages] == ["One", "First.", "Two", "Second."]
    assert shown(page.run()) == shown(page)


def test_nothing_is_missing_after_the_server_has_forgotten_it(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = send(begun(open_page), "One")
    bot.stored.clear()

    page.run()

    assert shown(page) == [("user", "One"), ("assistant", "Hello there.")]
    assert notices(page) == []
    assert bot.calls.count("begin") == 1


def test_a_stopped_answer_stays_as_far_as_it_came(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.answers = [Answer(["Half"], cut=st.stop)]
    page = send(begun(open_page), "Tell me")
    assert "stop" in buttons(page)

    page = click(page, "stop")

    assert shown(page) == [("user", "Tell me"), ("assistant", "Half")]
    assert notices(page) == [EN("ending.cancelled")]
    bot.stored.clear()
    page = page.run()
    assert notices(page) == [EN("ending.unanswered")]
    page = click(page, "way-retry")
    assert [text for _, text in shown(page)] == ["Tell me", "Half", "Hello there."]
    assert notices(page) == []
    (thread,) = bot.stored.values()
    assert [message.text for message in thread.messages] == ["Tell me", "Hello there."]


def test_a_click_in_mid_answer_does_no_harm(open_page: OpenPage, bot: ScriptedBot) -> None:
    def cut_once() -> None:
        bot.stored[str(bot.thread_id)].answer = Answer(["All of it"])
        st.stop()

    bot.answers = [Answer(["All of it"], cut=cut_once)]
    page = send(begun(open_page), "Tell me")

    page.run()

    assert shown(page) == [("user", "Tell me"), ("assistant", "All of it")]
    assert bot.calls.count("post") == 1


def test_leaving_it_in_mid_answer_ends_the_answer(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.answers = [Answer(["Half"], cut=st.stop)]
    page = send(begun(open_page), "Tell me")

    page = click(page, "new-chat")

    assert shown(page) == []
    assert bot.stored == {}


def test_an_error_is_told_and_the_answer_can_be_asked_for_again(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer([], Ending.FAILED, "Out of memory", "server_error")]
    page = send(begun(open_page), "Hi")
    assert notices(page) == [EN("ending.failed")]

    page = click(page, "way-retry")

    assert shown(page) == [("user", "Hi"), ("assistant", "Hello there.")]


def test_it_is_full_when_a_chat_is(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.message_limit = 2
    page = send(begun(open_page), "Hi")

    assert page.chat_input[0].disabled
    assert notices(page) == [EN("notice.full")]


def test_a_long_one_shows_its_earlier_messages_on_demand(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = begun(open_page)
    page = send(page, "0")
    for number in range(60):
        bot.add("user", f"more {number}")
    page = page.run()
    assert len(page.chat_message) == 40

    page = click(page, "earlier")

    assert shown(page)[0] == ("user", "0")
    assert len(page.chat_message) == 62
