"""What a person sees when things around the page go wrong."""

import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.live.chat_page import PATIENCE
from tests.live.conftest import ARTEFACTS, OpenTab
from tests.live.held_answer import HALF, LAST_OF_HALF, WHOLE, held_answer
from tests.start_process import Site
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer, Ending, Silence, spoken

pytestmark = pytest.mark.browser


def test_a_model_server_that_is_down_is_named_and_retry_works_when_it_is_back(
    tmp_path: Path, open_tab: OpenTab
) -> None:
    with model_server() as first:
        site = Site.at(tmp_path, OPENAI_BASE_URL=first.base_url)
    with site.started():
        chat = open_tab(site.url)
        chat.send("Is anybody there?")
        expect(chat.say("ending.failed")).to_be_visible()
        chat.say("details.title").click()
        expect(chat.tab.get_by_text("cannot be reached")).to_be_visible()
        chat.picture(ARTEFACTS / "model_server_down.png")

        with model_server(port=first.port):
            chat.button("way.retry").click()
            chat.wait_for_answer("Turn 1. You said: Is anybody there?")
            chat.wait_until_answered()

        expect(chat.prompts).to_have_count(1)
        expect(chat.answers).to_have_count(1)
        expect(chat.say("ending.failed")).to_have_count(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_of_the_server_in_mid_answer_keeps_what_was_shown(
    number: signal.Signals, tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    held_answer(upstream)
    site = Site.at(tmp_path, OPENAI_BASE_URL=upstream.base_url)
    with site.started() as process:
        chat = open_tab(site.url)
        chat.send("Tell me something long.")
        chat.wait_for_words(LAST_OF_HALF)
        address = f"{site.url}/?thread={chat.thread_id()}"
        process.end(number)

    with site.started():
        again = open_tab(address)
        again.wait_for_answer(HALF)
        expect(again.say("ending.failed")).to_be_visible()
        assert again.ask("And now?") == "Turn 2. You said: And now?"


def test_an_answer_that_tears_is_kept_as_far_as_it_came_and_can_be_asked_for_again(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    upstream.queue(Answer([HALF], ending=Ending.CUT), spoken("Here is all of it."))
    chat = open_tab(site.url)

    chat.send("Tell me something long.")
    expect(chat.say("ending.failed")).to_be_visible()
    expect(chat.answers).to_have_text([HALF])
    chat.button("way.retry").click()

    chat.wait_for_answer("Here is all of it.")
    chat.wait_until_answered()
    expect(chat.prompts).to_have_count(1)


def test_a_model_that_never_says_a_word_can_be_stopped(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    upstream.queue(Silence())
    chat = open_tab(site.url)
    chat.send("Is anybody there?")
    expect(chat.say("status.thinking")).to_be_visible()

    chat.button("composer.stop").click()

    expect(chat.say("ending.cancelled")).to_be_visible()
    assert upstream.requests[-1].hung_up.wait(PATIENCE / 1000)
    assert chat.ask("And now?") == "Turn 2. You said: And now?"


def test_what_is_sent_during_an_answer_waits_for_its_turn(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    chat = open_tab(site.url)
    chat.send("First.")
    chat.wait_for_words(LAST_OF_HALF)

    chat.send("Second.")
    expect(chat.say("transcript.waiting")).to_be_visible()
    gate.set()

    chat.wait_for_answer("Turn 2. You said: Second.")
    chat.wait_until_answered()
    expect(chat.prompts).to_have_text(["First.", "Second."])
    expect(chat.answers).to_have_text([WHOLE, "Turn 2. You said: Second."])


def test_without_streams_the_page_asks_and_shows_the_same(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    site = Site.at(tmp_path, OPENAI_BASE_URL=upstream.base_url, ASSISTANT_STREAMING="false")
    with site.started():
        chat = open_tab(site.url)
        chat.send("Tell me something long.")
        expect(chat.say("status.thinking")).to_be_visible()
        chat.thread_id()
        chat.tab.reload()
        expect(chat.button("composer.stop")).to_be_visible()
        gate.set()

        chat.wait_for_answer(WHOLE)
        assert chat.ask("And now?") == "Turn 2. You said: And now?"
        expect(chat.answers).to_have_text([WHOLE, "Turn 2. You said: And now?"])


def test_an_address_of_no_chat_leads_to_a_new_one(site: Site, open_tab: OpenTab) -> None:
    chat = open_tab(f"{site.url}/?thread=thread_of_somebody_else")
    expect(chat.say("notice.unknown_chat")).to_be_visible()

    assert chat.ask("Hello.") == "Turn 1. You said: Hello."


def test_what_a_model_writes_is_never_run(
    site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    html = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    link = "[press](javascript:document.title='owned')"
    upstream.queue(spoken(f"{html}\n\n{link}\n\nThe end."))
    chat = open_tab(site.url)

    chat.ask(f"Say {html}")

    expect(chat.answers.locator("img, script, a[href^='javascript']")).to_have_count(0)
    expect(chat.prompts).to_have_text([f"Say {html}"])
    assert chat.tab.title() != "owned"
