"""What a person sees: a real browser, a real process, and only the model is scripted."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.live.chat_page import PATIENCE, ChatPage
from tests.live.conftest import ARTEFACTS, OpenTab
from tests.live.held_answer import HALF, LAST_OF_HALF, WHOLE, held_answer
from tests.start_process import Site
from tests.upstream import Upstream

pytestmark = pytest.mark.browser


def test_a_conversation_has_a_memory_an_address_and_a_title(site: Site, open_tab: OpenTab) -> None:
    chat = open_tab(site.url)
    expect(chat.say("greeting.title")).to_be_visible()

    chat.ask("Hello, my name is Ada.")
    assert chat.ask("What is my name?") == "Your name is Ada."

    assert chat.thread_id().startswith("thread_")
    expect(chat.prompts).to_have_text(["Hello, my name is Ada.", "What is my name?"])
    expect(chat.answers).to_have_count(2)
    expect(chat.chats.filter(has_text="Hello, my name is Ada.")).to_have_count(1)


def test_a_reload_in_mid_answer_shows_all_of_it_once(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    chat = open_tab(site.url)
    chat.send("Tell me something long.")
    chat.wait_for_words(LAST_OF_HALF)
    chat.thread_id()

    chat.tab.reload()
    chat.wait_for_words(LAST_OF_HALF)
    expect(chat.button("composer.stop")).to_be_visible()
    gate.set()

    chat.wait_for_answer(WHOLE)
    chat.wait_until_answered()
    expect(chat.answers).to_have_text([WHOLE])
    expect(chat.prompts).to_have_count(1)
    assert len(upstream.requests) == 1


def test_a_second_tab_follows_the_same_answer(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    first = open_tab(site.url)
    first.send("Tell me something long.")
    first.wait_for_words(LAST_OF_HALF)

    second = open_tab(f"{site.url}/?thread={first.thread_id()}")
    second.wait_for_words(LAST_OF_HALF)
    gate.set()

    for tab in (first, second):
        tab.wait_for_answer(WHOLE)
        tab.wait_until_answered()
        expect(tab.answers).to_have_text([WHOLE])


def test_an_answer_is_written_to_its_end_though_the_tab_was_closed(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    left = open_tab(site.url)
    left.send("Tell me something long.")
    left.wait_for_words(LAST_OF_HALF)
    address = f"{site.url}/?thread={left.thread_id()}"

    left.tab.goto("about:blank")
    gate.set()
    assert upstream.requests[-1].answered.wait(PATIENCE / 1000)
    assert not upstream.requests[-1].hung_up.is_set()

    open_tab(address).wait_for_answer(WHOLE)


def test_stop_keeps_what_there_is_and_the_next_message_works(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    held_answer(upstream)
    chat = open_tab(site.url)
    chat.send("Tell me something long.")
    chat.wait_for_words(LAST_OF_HALF)

    chat.button("composer.stop").click()

    chat.wait_until_answered()
    expect(chat.say("ending.cancelled")).to_be_visible()
    expect(chat.answers).to_have_text([HALF])
    assert upstream.requests[-1].hung_up.wait(PATIENCE / 1000)
    assert chat.ask("And now?") == "Turn 2. You said: And now?"
    expect(chat.answers.first).to_contain_text(HALF)


def test_a_restart_of_the_server_loses_nothing(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    site = Site.at(tmp_path, OPENAI_BASE_URL=upstream.base_url)
    with site.started() as process:
        chat = open_tab(site.url)
        chat.ask("Hello, my name is Ada.")
        address = f"{site.url}/?thread={chat.thread_id()}"
        assert process.end() == 0

    with site.started():
        again = open_tab(address)
        expect(again.prompts).to_have_text(["Hello, my name is Ada."])
        expect(again.answers).to_have_text(["Turn 1. You said: Hello, my name is Ada."])
        expect(again.chats.filter(has_text="Hello, my name is Ada.")).to_have_count(1)
        assert again.ask("What is my name?") == "Your name is Ada."
        # The tab that was left open finds the new process by itself.
        chat.send("What is my name?")
        expect(chat.answers).to_have_text(
            ["Turn 1. You said: Hello, my name is Ada."] + ["Your name is Ada."] * 2
        )
        chat.wait_until_answered()


def test_chats_are_left_and_found_again_with_the_back_button(site: Site, open_tab: OpenTab) -> None:
    chat = open_tab(site.url)
    chat.ask("This is the first chat.")
    first = chat.thread_id()

    chat.button("sidebar.new").first.click()
    expect(chat.say("greeting.title")).to_be_visible()
    assert chat.ask("This is the second chat.") == "Turn 1. You said: This is the second chat."
    assert chat.thread_id() != first

    chat.tab.go_back()
    chat.tab.go_back()
    expect(chat.prompts).to_have_text(["This is the first chat."])
    assert chat.thread_id() == first

    chat.chats.filter(has_text="This is the second chat.").first.click()
    expect(chat.prompts).to_have_text(["This is the second chat."])
    expect(chat.answers).to_have_count(1)


def test_a_chinese_browser_gets_a_chinese_page(site: Site, browser: Browser) -> None:
    with browser.new_context(locale="zh-CN") as context:
        chat = ChatPage(context.new_page(), "zh-CN").open(site.url)

        expect(chat.say("greeting.title")).to_be_visible()
        expect(chat.button("sidebar.new")).to_be_visible()
        chat.ask("我叫小明。")
        assert chat.ask("我叫什么名字？") == "Your name is 小明."
        chat.picture(ARTEFACTS / "chinese.png")
