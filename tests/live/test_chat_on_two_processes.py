"""What a person sees of it that a site has several processes."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.live.conftest import OpenTab
from tests.live.held_answer import HALF, LAST_OF_HALF, held_answer
from tests.start_process import Site, free_port
from tests.tiny_proxy import tiny_proxy
from tests.upstream import Upstream

pytestmark = pytest.mark.browser


def test_when_its_process_dies_the_page_goes_on_at_another_one(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    held_answer(upstream)
    first = Site.at(tmp_path, OPENAI_BASE_URL=upstream.base_url)
    (tmp_path / "second").mkdir()
    second = replace(first, folder=tmp_path / "second", port=free_port())
    with (
        first.started() as process,
        second.started(),
        tiny_proxy(first.port, second.port, in_turn=False) as proxy,
    ):
        chat = open_tab(proxy.url)
        chat.send("Tell me something long.")
        chat.wait_for_words(LAST_OF_HALF)
        assert second.port not in proxy.used
        process.end(signal.SIGKILL)

        expect(chat.say("ending.failed")).to_be_visible()
        chat.wait_for_answer(HALF)
        assert chat.ask("And now?") == "Turn 2. You said: And now?"
        expect(chat.prompts).to_have_text(["Tell me something long.", "And now?"])
