"""The browser that tests and benchmarks drive: Debian's Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
# No sandbox because tests run as root in containers; the rest keeps the browser off the network.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
LONGEST_LAUNCH = 60_000.0  # milliseconds


@contextmanager
def launched_chromium() -> Iterator[Browser]:
    """A browser of its own profile that is closed in the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=LONGEST_LAUNCH
        )
        try:
            yield browser
        finally:
            browser.close()
