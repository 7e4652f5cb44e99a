"""The page as a person meets it, with a scripted bot behind it."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from streamlit_assistant.catalogue import CHINESE, ENGLISH
from streamlit_assistant.chatbot import ChatError, Ending, ErrorKind, RunState
from streamlit_assistant.ui.texts import load_texts
from tests.ui.conftest import OpenPage
from tests.ui.scripted_bot import Answer, ScriptedBot

EN = load_texts(ENGLISH)
ZH = load_texts(CHINESE)
DOWN = ChatError("unreachable", "Connection refused", "req_9")


def send(page: AppTest, text: str) -> AppTest:
    return page.chat_input[0].set_value(text).run()


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def buttons(page: AppTest) -> list[str | None]:
    return [button.key for button in page.button]


def shown(page: AppTest) -> list[tuple[str, str]]:
    """Who wrote what, in the order of the page."""
    assert not page.exception
    return [
        (
            bubble.name,
            "\n\n".join(each.value for each in [*bubble.text, *bubble.markdown] if each.value),
        )
        for bubble in page.chat_message
    ]


def notices(page: AppTest) -> list[str]:
    return [box.value for box in [*page.warning, *page.info]]


def test_an_empty_chat_greets_and_suggests(open_page: OpenPage) -> None:
    page = open_page()

    assert [title.value for title in page.title] == ["小智·Zero"]
    assert [header.value for header in page.header] == [EN("greeting.title")]
    assert "suggestion-explain" in buttons(page)
    assert page.chat_input[0].placeholder == EN("composer.placeholder")


def test_a_suggestion_is_asked_with_one_click(open_page: OpenPage, bot: ScriptedBot) -> None:
    page = click(open_page(), "suggestion-code")

    assert shown(page) == [
        ("user", EN("suggestion.code.prompt")),
        ("assistant", "Hello there."),
    ]


@pytest.mark.parametrize("locale", ["zh-CN", "zh", "zh-Hant-TW"])
def test_a_chinese_browser_gets_a_chinese_page(open_page: OpenPage, locale: str) -> None:
    page = open_page(locale)

    assert page.header[0].value == ZH("greeting.title")
    assert page.chat_input[0].placeholder == ZH("composer.placeholder")
    assert page.button(key="new-chat").label == ZH("sidebar.new")


def test_the_document_is_marked_as_being_in_the_pages_language(open_page: OpenPage) -> None:
    scripts = [html.proto.body for html in open_page("zh-CN").get("html")]

    assert any('documentElement.lang = "zh-CN"' in script for script in scripts)


def test_a_prompt_is_answered_and_the_chat_gets_its_address(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = send(open_page(), "Hi")

    assert shown(page) == [("user", "Hi"), ("assistant", "Hello there.")]
    assert page.query_params["thread"] == bot.thread_id
    assert notices(page) == []


def test_two_turns_stay_in_one_thread(open_page: OpenPage, bot: ScriptedBot) -> None:
    page = send(send(open_page(), "One"), "Two")

    assert [text for _, text in shown(page)] == ["One", "Hello there.", "Two", "Hello there."]
    assert len(bot.stored) == 1


@pytest.mark.parametrize("blank", ["", "   ", "\n\t"])
def test_a_blank_prompt_does_nothing(open_page: OpenPage, bot: ScriptedBot, blank: str) -> None:
    page = send(open_page(), blank)

    assert shown(page) == []
    assert not any(call.startswith("ask") for call in bot.calls)


def test_a_prompt_that_is_too_long_is_explained_and_kept(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = send(open_page(), "x" * 256_001)

    assert notices(page) == [EN("notice.too_long")]
    assert shown(page) == []
    assert page.chat_input[0].proto.value == "x" * 256_001
    assert not any(call.startswith("ask") for call in bot.calls)


def test_the_longest_allowed_prompt_is_sent(open_page: OpenPage, bot: ScriptedBot) -> None:
    send(open_page(), "x" * 256_000)

    assert f"ask {'x' * 256_000}" in bot.calls


def test_what_a_person_writes_is_shown_as_written(open_page: OpenPage) -> None:
    written = "# no heading\n<b>no bold</b> *no stars* $x$ :smile:"

    page = send(open_page(), written)

    assert [text.value for text in page.chat_message[0].text] == [written]
    assert not page.chat_message[0].markdown


def test_nothing_from_an_answer_is_drawn_as_html(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.answers = [Answer(["<script>alert(1)</script>\n\nand <b>more</b> <img src=x onerror=y>"])]

    page = send(open_page(), "Hi")

    answer = page.chat_message[1]
    assert not any(element.allow_html for element in answer.markdown)
    assert not answer.get("html")
    assert [text.value for text in answer.text] == ["<script>alert(1)</script>"]


# ---- what can go wrong before the prompt is posted ----


def test_a_prompt_that_could_not_be_posted_stays_and_retry_posts_it(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = open_page()
    bot.refuse["ask"] = DOWN
    page = send(page, "Precious")

    assert shown(page) == [("user", "Precious")]
    assert notices(page) == [EN("problem.unreachable")]
    assert page.expander[0].text[0].value == "Connection refused"
    assert page.expander[0].code[0].value == "req_9"
    assert "stop" not in buttons(page)

    bot.refuse.clear()
    page = click(page, "way-retry")

    assert shown(page) == [("user", "Precious"), ("assistant", "Hello there.")]
    assert notices(page) == []


def test_a_prompt_that_was_posted_before_the_failure_is_not_posted_twice(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = open_page()
    bot.refuse["run"] = ChatError("rate_limited", "Slow down")
    page = send(page, "Once")
    assert notices(page) == [EN("problem.rate_limited")]

    bot.refuse.clear()
    page = click(page, "way-retry")

    assert shown(page) == [("user", "Once"), ("assistant", "Hello there.")]
    assert bot.calls.count("post") == 1


def test_the_same_words_sent_twice_are_two_messages(open_page: OpenPage, bot: ScriptedBot) -> None:
    page = send(open_page(), "go on")
    bot.refuse["ask"] = DOWN
    page = send(page, "go on")
    bot.refuse.clear()
    page = click(page, "way-retry")

    assert [text for _, text in shown(page)] == ["go on", "Hello there."] * 2


def test_a_prompt_that_could_not_be_posted_can_be_edited(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = open_page()
    bot.refuse["ask"] = DOWN
    page = click(send(page, "Precious"), "way-edit")

    assert page.chat_input[0].proto.value == "Precious"
    assert shown(page) == []


def test_a_new_prompt_sends_what_waited_before_it(open_page: OpenPage, bot: ScriptedBot) -> None:
    page = open_page()
    bot.refuse["ask"] = DOWN
    page = send(page, "First")
    bot.refuse.clear()
    page = send(page, "Second")

    assert [text for _, text in shown(page)] == ["First", "Hello there.", "Second", "Hello there."]


def test_an_unsent_prompt_waits_in_its_own_chat(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hi", "Hello", title="Chat A")
    page = open_page()
    bot.refuse["ask"] = DOWN
    page = send(page, "Precious")
    bot.refuse.clear()

    page = click(page, "new-chat")
    assert shown(page) == []
    page = click(page, "chat-thread_a")
    assert shown(page)[-1] == ("user", "Precious")
    assert notices(page) == [EN("problem.unreachable")]


# ---- how answers end ----


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
    numbers = [code.value for code in page.expander[0].code]
    assert numbers == ([] if ending is Ending.CANCELLED else ["req_1"])

    page = click(page, f"way-{way}")
    assert shown(page)[-1] == ("assistant", "Hello there.")
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


# ---- an answer that is being written ----


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


# ---- addresses ----


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


# ---- the API out of reach, the chat full ----


def test_without_the_api_the_page_says_so_and_finds_back(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", "Hi", "Hello")
    bot.refuse = {"latest_run": DOWN, "threads": DOWN}
    page = open_page()

    assert notices(page) == [EN("problem.unreachable")]
    assert EN("sidebar.unreachable") in [caption.value for caption in page.sidebar.caption]
    assert not page.chat_input[0].disabled
    assert "threads" not in bot.calls  # to ask again would only take as long again

    bot.refuse.clear()
    assert shown(click(page, "way-retry")) == [("user", "Hi"), ("assistant", "Hello")]
    assert "retry" not in bot.calls


def test_a_prompt_sent_without_the_api_is_sent_when_it_is_back(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", "Hi", "Hello")
    page = open_page()
    bot.refuse["latest_run"] = DOWN
    page = send(page, "Precious")
    assert shown(page) == [("user", "Precious")]

    bot.refuse.clear()
    page = click(page, "way-retry")

    assert shown(page)[-2:] == [("user", "Precious"), ("assistant", "Hello there.")]


def test_a_full_chat_ends_politely(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hi", "Hello")
    bot.full = True
    page = open_page()

    assert notices(page) == [EN("notice.full")]
    assert page.chat_input[0].disabled
    bot.full = False
    assert shown(click(page, "way-new")) == []


def test_a_limit_that_cannot_be_read_closes_nothing(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", "Hi", "Hello")
    bot.refuse["limit_reached"] = DOWN
    page = open_page()

    assert not page.chat_input[0].disabled
    assert notices(page) == []


# ---- long chats ----


def test_only_the_last_page_of_a_long_chat_is_drawn(open_page: OpenPage, bot: ScriptedBot) -> None:
    bot.open("thread_a", *[f"message {n}" for n in range(100)])
    page = open_page()
    assert [text for _, text in shown(page)] == [f"message {n}" for n in range(60, 100)]

    page = click(page, "earlier")
    assert len(page.chat_message) == 80
    page = click(page, "earlier")
    assert [text for _, text in shown(page)] == [f"message {n}" for n in range(100)]
    assert "earlier" not in buttons(page)


def test_a_chat_of_one_page_offers_no_earlier_messages(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", *[f"message {n}" for n in range(40)])

    assert "earlier" not in buttons(open_page())


def test_a_chat_that_goes_on_keeps_its_first_drawn_message_in_place(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", *[f"message {n}" for n in range(60)])
    page = open_page()
    for turn in range(5):
        page = send(page, f"turn {turn}")
    assert shown(page)[0][1] == "message 20"
    assert len(page.chat_message) == 50

    for turn in range(16):
        page = send(page, f"later {turn}")
    assert len(page.chat_message) == 40
