"""A chat of which nothing is left: a real browser, a real process, and only the model scripted."""

import sqlite3
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.live.chat_page import PATIENCE, ChatPage
from tests.live.conftest import ARTEFACTS, OpenTab
from tests.live.held_answer import HALF, LAST_OF_HALF, WHOLE, held_answer
from tests.start_process import Site
from tests.upstream import Upstream

pytestmark = pytest.mark.browser

KEY = "key-of-this-site-0123456789"


@pytest.fixture(scope="module")
def started_site(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("temporary")
    made = Site.at(folder, OPENAI_BASE_URL=shared_upstream.base_url, ASSISTANT_API_KEY=KEY)
    with made.started():
        yield made


@pytest.fixture
def own_site(started_site: Site) -> Site:
    """A site on which nobody has chatted yet."""
    for thread_id in threads_of(started_site):
        delete(started_site, thread_id)
    return started_site


def begin(chat: ChatPage) -> None:
    chat.button("sidebar.temporary").click()
    expect(chat.say("greeting.temporary.text")).to_be_visible()
    expect(chat.say("composer.temporary")).to_be_visible()


def threads_of(site: Site) -> list[str]:
    """The ids of all threads there are, listed or not."""
    database = next(site.folder.rglob("assistant.db"))
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    with connection:
        found = [row[0] for row in connection.execute("SELECT id FROM threads ORDER BY seq")]
    connection.close()
    return found


def get(site: Site, path: str) -> httpx.Response:
    with site.client(KEY) as client:
        return client.get(f"/v1{path}")


def delete(site: Site, thread_id: str) -> None:
    with site.client(KEY) as client:
        assert client.delete(f"/v1/threads/{thread_id}").status_code == 200


def test_it_remembers_while_it_lasts_and_leaves_nothing(
    own_site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    chat = open_tab(own_site.url)
    begin(chat)

    chat.ask("Hello, my name is Ada.")
    assert chat.ask("What is my name?") == "Your name is Ada."

    assert chat.tab.url == f"{own_site.url}/?thread=temporary"
    expect(chat.say("composer.temporary")).to_be_visible()
    expect(chat.chats).to_have_count(0)
    assert get(own_site, "/threads").json()["data"] == []
    (thread_id,) = threads_of(own_site)
    assert get(own_site, f"/threads/{thread_id}").json()["temporary"] is True

    chat.button("sidebar.new").click()
    expect(chat.say("greeting.title")).to_be_visible()
    expect(chat.say("composer.temporary")).to_have_count(0)
    expect(chat.prompts).to_have_count(0)
    chat.wait_until_answered()
    assert get(own_site, f"/threads/{thread_id}").status_code == 404
    assert threads_of(own_site) == []


def test_a_reload_forgets_it(own_site: Site, upstream: Upstream, open_tab: OpenTab) -> None:
    chat = open_tab(own_site.url)
    begin(chat)
    chat.ask("Hello, my name is Ada.")

    chat.tab.reload()

    expect(chat.say("greeting.temporary.title").first).to_be_visible()
    expect(chat.prompts).to_have_count(0)
    expect(chat.chats).to_have_count(0)
    assert chat.ask("What is my name?") == "You have not told me your name."


def test_two_tabs_do_not_share_it(own_site: Site, upstream: Upstream, open_tab: OpenTab) -> None:
    first, second = open_tab(own_site.url), open_tab(own_site.url)
    begin(first)
    first.ask("Hello, my name is Ada.")
    begin(second)

    assert second.ask("What is my name?") == "You have not told me your name."
    assert first.ask("What is my name?") == "Your name is Ada."

    expect(first.prompts).to_have_text(["Hello, my name is Ada.", "What is my name?"])
    expect(second.prompts).to_have_text(["What is my name?"])
    assert len(threads_of(own_site)) == 2


def test_a_click_in_mid_answer_does_not_disturb_it(
    own_site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    chat = open_tab(own_site.url)
    begin(chat)
    chat.send("Tell me something long.")
    chat.wait_for_words(LAST_OF_HALF)

    chat.send("And then?")
    expect(chat.say("transcript.waiting")).to_be_visible()
    gate.set()

    expect(chat.answers).to_have_text([WHOLE, "Turn 2. You said: And then?"])
    chat.wait_until_answered()
    expect(chat.prompts).to_have_text(["Tell me something long.", "And then?"])


def test_a_stopped_answer_stays_and_the_chat_goes_on(
    own_site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    held_answer(upstream)
    chat = open_tab(own_site.url)
    begin(chat)
    chat.send("Tell me something long.")
    chat.wait_for_words(LAST_OF_HALF)

    chat.button("composer.stop").click()

    chat.wait_until_answered()
    expect(chat.say("ending.cancelled")).to_be_visible()
    expect(chat.answers).to_have_text([HALF])
    assert chat.ask("And now?") == "Turn 2. You said: And now?"


def test_leaving_it_in_mid_answer_stops_the_model(
    own_site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    held_answer(upstream)
    chat = open_tab(own_site.url)
    begin(chat)
    chat.send("Tell me something long.")
    chat.wait_for_words(LAST_OF_HALF)

    chat.button("sidebar.new").click()

    expect(chat.say("greeting.title")).to_be_visible()
    assert upstream.requests[-1].hung_up.wait(PATIENCE / 1000)
    chat.wait_until_answered()
    assert threads_of(own_site) == []


def test_it_goes_on_after_the_server_has_forgotten_it(
    own_site: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    chat = open_tab(own_site.url)
    begin(chat)
    chat.ask("Hello, my name is Ada.")
    (forgotten,) = threads_of(own_site)
    delete(own_site, forgotten)

    assert chat.ask("What is my name?") == "Your name is Ada."

    expect(chat.prompts).to_have_text(["Hello, my name is Ada.", "What is my name?"])
    expect(chat.answers).to_have_count(2)
    assert len(threads_of(own_site)) == 1


@pytest.mark.parametrize(
    ("width", "scheme", "locale", "language"),
    [
        (1280, "light", "en-US", "en"),
        (390, "dark", "en-US", "en"),
        (1280, "dark", "zh-CN", "zh-CN"),
        (390, "light", "zh-CN", "zh-CN"),
    ],
)
def test_it_says_what_it_is_on_every_screen(
    site: Site,
    upstream: Upstream,
    browser: Browser,
    width: int,
    scheme: Literal["light", "dark"],
    locale: str,
    language: str,
) -> None:
    with browser.new_context(
        viewport={"width": width, "height": 800}, locale=locale, color_scheme=scheme
    ) as context:
        chat = ChatPage(context.new_page(), language).open(site.url)
        if width < 600:
            chat.tab.get_by_test_id("stExpandSidebarButton").click()
        chat.button("sidebar.temporary").click()

        expect(chat.say("greeting.temporary.text")).to_be_in_viewport()
        expect(chat.say("composer.temporary")).to_be_in_viewport()
        name = f"temporary_{language}_{width}_{scheme}"
        chat.wait_until_answered()
        chat.picture(ARTEFACTS / f"{name}_empty.png")
        chat.ask("Hello, my name is Ada.")
        expect(chat.say("composer.temporary")).to_be_in_viewport()
        if width < 600:  # the drawer has closed by itself
            expect(chat.tab.get_by_test_id("stExpandSidebarButton")).to_be_in_viewport()
        assert chat.tab.evaluate("document.documentElement.scrollWidth") <= width
        chat.picture(ARTEFACTS / f"{name}.png")
