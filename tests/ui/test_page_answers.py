"""How answers end, and what one that is being written needs."""

import pytest
import streamlit as st

from streamlit_assistant.chatbot import ChatError, Ending, RunState
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import DOWN, EN, ZH, buttons, click, notices, send, shown
from tests.ui.scripted_bot import Answer, ScriptedBot


@pytest.mark.parametrize(
    ("ending", "code", "key", "way"),
    [
        (Ending.FAILED, "server_error", "ending.failed", "retry"),
        (Ending.FAILED, "rate_limit_exceeded", "ending.failed.rate_limit_exceeded", "retry"),
        (Ending.FAILED, "invalid_prompt", "ending.failed.invalid_prompt", "retry"),
        (Ending.EXPIRED, None, "ending.expired", "retry"),
        (Ending.CANCELLED, None, "ending.cancelled", "continue"),
        (Ending.INCOMPLETE, "max_completion_tokens", "ending.incomplete", "continue"),
        (Ending.INCOMPLETE, "content_filter", "ending.incomplete.content_filter", "continue"),
    ],
)
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_each_ending_is_told_in_plain_words_with_a_way_on(
    open_page: OpenPage,
    bot: ScriptedBot,
    ending: Ending,
    code: str | None,
    key: str,
    way: str,
    locale: str,
) -> None:
    texts = ZH if locale == "zh-CN" else EN
    bot.answers = [Answer(["Part of it"], ending, "The server's own words", code)]
    page = send(open_page(locale), "Hi")

    assert shown(page) == [("user", "Hi"), ("assistant", "Part of it")]
    assert notices(page) == [texts(key)]
    assert page.expander[0].text[0].value == "The server's own words"
    told = [caption.value for caption in page.main.caption if "req_" in caption.value]
    expected = [] if ending is Ending.CANCELLED else [f"{texts('details.request')} `req_1`"]
    assert told == expected

    page = click(page, f"way-{way}")
    assert shown(page)[-1] == ("assistant", "Hello there.")
    assert notices(page) == []


def test_what_the_model_will_not_take_is_left_behind_in_a_new_chat(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer([], Ending.FAILED, "Too long.", "invalid_prompt")]
    page = click(send(open_page(), "Hi"), "way-new")

    assert shown(page) == []
    assert notices(page) == []


def test_a_run_that_waits_for_a_tool_can_be_cancelled(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer([], Ending.REQUIRES_ACTION)]
    page = send(open_page(), "Hi")
    assert notices(page) == [EN("ending.requires_action")]

    page = click(page, "way-cancel")

    assert notices(page) == [EN("ending.cancelled")]
    assert "way-retry" in buttons(page)  # nothing was written that could be continued


def test_a_message_that_nobody_answered_can_be_answered(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", "Posted by a program")
    page = open_page()
    assert notices(page) == [EN("ending.unanswered")]

    page = click(page, "way-retry")

    assert shown(page) == [("user", "Posted by a program"), ("assistant", "Hello there.")]


def test_a_broken_off_answer_further_up_says_so(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hi")
    bot.add(
        "assistant", "Half", status="incomplete", incomplete_reason="max_tokens", run_id="run_0"
    )
    bot.add("user", "And?")
    bot.add("assistant", "Whole", run_id="run_1")
    bot.stored["thread_a"].run = RunState("run_1", "completed", None, None)

    page = open_page()

    assert page.chat_message[1].caption[0].value == EN("incomplete.max_tokens")
    assert notices(page) == []


def test_an_interrupted_page_finds_its_answer_running(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer(["Half", " whole"], cut=st.stop)]
    page = send(open_page(), "Hi")
    assert shown(page) == [("user", "Hi"), ("assistant", "Half whole")]
    assert "stop" in buttons(page)
    assert page.query_params["thread"] == bot.thread_id

    page.run()

    assert shown(page) == [("user", "Hi"), ("assistant", "Half whole")]
    assert bot.calls.count("post") == 1


def test_stop_cancels_the_run_itself_and_keeps_what_was_written(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer(["Half"], cut=st.stop)]
    page = click(send(open_page(), "Hi"), "stop")

    assert "stop" in bot.calls
    assert shown(page) == [("user", "Hi"), ("assistant", "Half")]
    assert notices(page) == [EN("ending.cancelled")]
    assert "stop" not in buttons(page)


def test_a_stop_that_fails_is_told(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.answers = [Answer(["Half"], cut=st.stop)]
    page = send(open_page(), "Hi")
    bot.refuse["stop"] = ChatError("server", "Oops")

    page = click(page, "stop")

    assert notices(page) == [EN("problem.server")]


def test_a_prompt_sent_while_an_answer_is_written_waits_its_turn(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.answers = [Answer(["One"], cut=st.stop), Answer(["Two"])]
    page = send(open_page(), "First")
    page = send(page, "Second")
    assert shown(page)[-1] == ("user", "Second")
    assert page.chat_message[2].caption[0].value == EN("transcript.waiting")
    assert bot.calls.count("post") == 1

    stored = bot.stored[bot.thread_id or ""]
    assert stored.answer is not None
    stored.answer = Answer(["One"])
    page.run()

    assert [text for _, text in shown(page)] == ["First", "One", "Second", "Two"]


def test_a_line_that_breaks_while_following_can_be_taken_up(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    def breaks() -> None:
        raise DOWN

    bot.answers = [Answer(["Half"], cut=breaks)]
    page = send(open_page(), "Hi")
    assert shown(page) == [("user", "Hi"), ("assistant", "Half")]
    assert notices(page) == [EN("problem.unreachable")]
    assert "stop" not in buttons(page)

    stored = bot.stored[bot.thread_id or ""]
    stored.answer = Answer(["Half", " whole"])
    page = click(page, "way-retry")

    assert shown(page) == [("user", "Hi"), ("assistant", "Half whole")]
    assert bot.calls.count("post") == 1
    assert "retry" not in bot.calls
