"""A chat page that notes when each numbered token of an answer is first in it."""

from pathlib import Path

from playwright.sync_api import BrowserContext, Locator

OBSERVER = Path(__file__).with_name("token_observer.js")
STAND = 30_000.0  # milliseconds without a new token after which none is expected any more
CALM = 500.0  # milliseconds; a script that has ended may be followed by another
LOOK_EVERY = 500.0  # milliseconds; asking more often would cost the page time


class ObservedPage:
    """One tab. Answers are asked for by what the scripted model obeys: `Count to ...`."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._page = context.new_page()
        self._page.add_init_script(path=OBSERVER)
        self._page.goto(url)
        self._composer.wait_for()
        self.wait_until_idle()

    def ask(self, prompt: str) -> None:
        """Send a message."""
        self._composer.fill(prompt)
        self._composer.press("Enter")

    def wait_for(self, text: str) -> None:
        """Wait until the text is in the page."""
        self._page.get_by_text(text).wait_for()

    def wait_until_idle(self) -> None:
        """Wait until the page has nothing left to do."""
        self._page.locator("[data-test-script-state='notRunning']").wait_for()
        self._page.wait_for_timeout(CALM)

    def token_times(self, count: int) -> list[float]:
        """Wait for so many tokens; return when each appeared, in seconds since 1970.

        Those that a page which has come to a stand never shows are missing.
        """
        self._page.wait_for_function(
            "([count, stand]) => tokenTimes.length >= count || Date.now() - newestAt > stand",
            arg=[count, STAND],
            polling=LOOK_EVERY,
            timeout=0,
        )
        times: list[float] = self._page.evaluate("window.tokenTimes")
        return [milliseconds / 1000 for milliseconds in times]

    @property
    def _composer(self) -> Locator:
        return self._page.get_by_test_id("stChatInputTextArea")
