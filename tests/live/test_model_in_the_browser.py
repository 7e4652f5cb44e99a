"""What a person learns of the model that answers, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.live.chat_page import ChatPage
from tests.live.conftest import ARTEFACTS, OpenTab
from tests.providers.probed_server import ProbedServer, probed_server, refusal
from tests.start_process import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def blind() -> Iterator[ProbedServer]:
    """A model that cannot see, takes its time and will be switched off."""
    refused = refusal(500, "image input is not supported")
    with probed_server(sees=refused, shutdown_date="2027-01-14", pause=0.2) as server:
        yield server


def test_the_model_is_tested_and_what_cannot_work_is_explained(
    tmp_path: Path, blind: ProbedServer, open_tab: OpenTab
) -> None:
    with Site.at(tmp_path, OPENAI_BASE_URL=blind.url).started() as started:
        chat = open_tab(started.site.url)
        assert blind.requests == []
        chat.button("sidebar.model").click()
        dialog = chat.tab.get_by_role("dialog")
        expect(dialog.get_by_text("2027-01-14")).to_be_visible()

        chat.button("model.test").click()

        expect(dialog.get_by_role("progressbar")).to_be_visible()
        expect(chat.say("model.lacks.vision")).to_be_visible()
        expect(chat.say("model.has.streaming")).to_be_visible()
        expect(chat.button("model.again")).to_be_visible()

        chat.tab.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        chat.ask("Hello there.")
        expect(dialog).to_have_count(0)


def test_on_a_chinese_phone_the_dialog_fits(
    tmp_path: Path, blind: ProbedServer, browser: Browser
) -> None:
    phone = ViewportSize(width=390, height=844)
    with (
        Site.at(tmp_path, OPENAI_BASE_URL=blind.url).started() as started,
        browser.new_context(locale="zh-CN", viewport=phone, color_scheme="dark") as context,
    ):
        chat = ChatPage(context.new_page(), "zh-CN").open(started.site.url)
        chat.tab.get_by_test_id("stExpandSidebarButton").click()
        chat.button("sidebar.model").click()
        chat.button("model.test").click()

        expect(chat.say("model.lacks.vision")).to_be_visible()
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not chat.tab.evaluate(wide)
        chat.picture(ARTEFACTS / "model_on_a_phone.png")
