"""The API refusing, out of reach, the chat full: nothing a person wrote is lost."""

from streamlit_assistant.chatbot import ChatError
from tests.ui.conftest import OpenPage
from tests.ui.page_reading import DOWN, EN, buttons, click, notices, send, shown
from tests.ui.scripted_bot import ScriptedBot


def test_a_prompt_that_could_not_be_posted_stays_and_retry_posts_it(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    page = open_page()
    bot.refuse["ask"] = DOWN
    page = send(page, "Precious")

    assert shown(page) == [("user", "Precious")]
    assert notices(page) == [EN("problem.unreachable")]
    assert page.expander[0].text[0].value == "Connection refused"
    assert f"{EN('details.request')} `req_9`" in [caption.value for caption in page.main.caption]
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


def test_a_prompt_is_not_mistaken_for_the_same_words_of_long_ago(
    open_page: OpenPage, bot: ScriptedBot
) -> None:
    bot.open("thread_a", "Hi", "Hello")
    bot.refuse["latest_run"] = DOWN
    page = send(open_page(), "Hi")

    bot.refuse.clear()
    page = click(page, "way-retry")

    assert [text for _, text in shown(page)] == ["Hi", "Hello", "Hi", "Hello there."]


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
