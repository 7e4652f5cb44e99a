"""The page as a person meets it: empty, in conversation, long."""

import pytest

from tests.ui.conftest import OpenPage
from tests.ui.page_reading import EN, ZH, buttons, click, notices, send, shown
from tests.ui.scripted_bot import Answer, ScriptedBot


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
