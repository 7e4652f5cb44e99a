"""A tab that was left open while its session was lost, as with every restart of the server."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.live.conftest import OpenTab
from tests.start_process import Site
from tests.upstream import Upstream

pytestmark = pytest.mark.browser

KEY = "key-of-this-site-0123456789"


def site_at(folder: Path, upstream: Upstream) -> Site:
    return Site.at(folder, OPENAI_BASE_URL=upstream.base_url, ASSISTANT_API_KEY=KEY)


def test_the_first_question_after_it_is_answered(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    site = site_at(tmp_path, upstream)
    with site.started() as process:
        chat = open_tab(site.url)
        chat.ask("Hello, my name is Ada.")
        assert process.end() == 0

    with site.started():
        chat.send("What is my name?")

        chat.wait_for_answer("Your name is Ada.")
        chat.wait_until_answered()
        expect(chat.prompts).to_have_text(["Hello, my name is Ada.", "What is my name?"])


def test_the_first_question_after_it_begins_a_chat_where_none_was_open(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    site = site_at(tmp_path, upstream)
    with site.started() as process:
        chat = open_tab(site.url)
        assert process.end() == 0

    with site.started():
        chat.send("Hello")

        chat.wait_for_answer("Turn 1. You said: Hello")
        chat.wait_until_answered()
        expect(chat.prompts).to_have_text(["Hello"])
        assert chat.thread_id().startswith("thread_")


def test_no_question_goes_from_a_temporary_chat_into_one_that_is_kept(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    site = site_at(tmp_path, upstream)
    with site.started() as process:
        chat = open_tab(site.url)
        chat.button("sidebar.temporary").click()
        expect(chat.say("greeting.temporary.text")).to_be_visible()
        chat.ask("Hello, my name is Ada.")
        assert process.end() == 0

    with site.started():
        expect(chat.say("composer.temporary")).to_be_visible()
        chat.send("What is my name?")

        chat.wait_for_answer("You have not told me your name.")
        chat.wait_until_answered()
        expect(chat.prompts).to_have_text(["What is my name?"])
        expect(chat.say("composer.temporary")).to_be_visible()
        with site.client(KEY) as client:
            listed: httpx.Response = client.get("/v1/threads")
        assert listed.json()["data"] == []
