"""A real site, a real browser, and a scripted model server behind them."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.live.chat_page import PATIENCE, ChatPage
from tests.live.chromium import CHROMIUM, launched_chromium
from tests.start_process import Site
from tests.upstream import Upstream, model_server

ARTEFACTS = Path(__file__).resolve().parent.parent / "artefacts"

OpenTab = Callable[..., ChatPage]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; without it the tests are skipped, except where they must not be."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is missing: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    expect.set_options(timeout=PATIENCE)
    with launched_chromium() as launched:
        yield launched


@pytest.fixture(scope="package")
def shared_upstream() -> Iterator[Upstream]:
    """The model server all sites are connected to."""
    with model_server() as served:
        yield served


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """The model server, free of what other tests left there."""
    shared_upstream.forget()
    return shared_upstream


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[Site]:
    """A site that runs as a process of its own; tests that end it make one for themselves."""
    folder = tmp_path_factory.mktemp("site")
    made = Site.at(folder, OPENAI_BASE_URL=shared_upstream.base_url)
    with made.started():
        yield made


@pytest.fixture
def open_tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenTab]:
    """Opens tabs of one person's browser; the last sight of each is kept as an artefact."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        tabs: list[ChatPage] = []

        def opened(url: str) -> ChatPage:
            tabs.append(ChatPage(context.new_page()))
            return tabs[-1].open(url)

        yield opened
        name = re.sub(r"\W+", "_", request.node.name)
        for number, tab in enumerate(tabs, start=1):
            tab.picture(ARTEFACTS / f"{name}_{number}.png")
