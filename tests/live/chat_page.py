"""The page as a person uses it: by what can be read and pressed, not by how it is built."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

LOCALES = Path(__file__).resolve().parents[2] / "streamlit_assistant" / "locales"
PATIENCE = 30_000.0  # milliseconds; a loaded machine may take long, a broken page takes for ever


class ChatPage:
    """One browser tab."""

    def __init__(self, tab: Page, language: str = "en") -> None:
        self.tab = tab
        self._words: dict[str, str] = json.loads(
            (LOCALES / f"{language}.json").read_text(encoding="utf-8")
        )
        tab.set_default_timeout(PATIENCE)

    @property
    def composer(self) -> Locator:
        """The box to write in."""
        return self.tab.get_by_placeholder(self.words("composer.placeholder"))

    @property
    def answers(self) -> Locator:
        """The assistant's messages."""
        return self.tab.get_by_label("Chat message from assistant")

    @property
    def prompts(self) -> Locator:
        """The person's messages."""
        return self.tab.get_by_label("Chat message from user")

    @property
    def chats(self) -> Locator:
        """The buttons of the list of chats."""
        return self.tab.get_by_test_id("stSidebar").locator('[class*="chat-thread_"] button')

    def words(self, key: str) -> str:
        """The page's own words for something."""
        return self._words[key]

    def button(self, key: str) -> Locator:
        """A button by its words."""
        return self.tab.get_by_role("button", name=self.words(key))

    def say(self, key: str) -> Locator:
        """Where the page says something of its own."""
        return self.tab.get_by_text(self.words(key))

    def open(self, url: str) -> "ChatPage":
        """Go to an address and wait until one could write."""
        self.tab.goto(url)
        expect(self.composer).to_be_enabled()
        return self

    def send(self, text: str) -> None:
        """Write and send."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def ask(self, text: str) -> str:
        """Send, wait for the whole answer and return it."""
        number = self.prompts.count()
        self.send(text)
        expect(self.prompts).to_have_count(number + 1)
        self.wait_until_answered()
        return self.answer()

    def wait_until_answered(self) -> None:
        """Wait until nothing is being written any more."""
        expect(self.tab.locator("[data-test-script-state='notRunning']")).to_be_visible()
        expect(self.button("composer.stop")).to_have_count(0)

    def wait_for_answer(self, text: str) -> None:
        """Wait until the last answer reads exactly so, give or take white space."""
        expect(self.answers.last).to_have_text(text)

    def wait_for_words(self, text: str) -> None:
        """Wait until the last answer has come so far."""
        expect(self.answers.last).to_contain_text(text)

    def answer(self) -> str:
        """The last answer's text, as far as it has come."""
        return " ".join(self.answers.last.inner_text().split())

    def thread_id(self) -> str:
        """The chat the address names."""
        self.tab.wait_for_url("**thread=thread_*")
        return self.tab.url.partition("thread=")[2]

    def picture(self, path: Path, **options: Any) -> None:
        """Take a screenshot."""
        path.parent.mkdir(exist_ok=True)
        self.tab.screenshot(path=path, **options)
