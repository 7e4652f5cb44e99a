"""What a person sees of it that others are answered first."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.live.conftest import OpenTab
from tests.live.held_answer import LAST_OF_HALF, WHOLE, held_answer
from tests.start_process import Site
from tests.upstream import Upstream

pytestmark = pytest.mark.browser


def test_who_waits_sees_how_many_are_ahead(
    tmp_path: Path, upstream: Upstream, open_tab: OpenTab
) -> None:
    gate = held_answer(upstream)
    site = Site.at(tmp_path, OPENAI_BASE_URL=upstream.base_url, MAX_RUNS="1")
    with site.started():
        chats = [open_tab(site.url) for _ in range(3)]
        chats[0].send("First.")
        chats[0].wait_for_words(LAST_OF_HALF)
        chats[1].send("Second.")
        expect(chats[1].say("status.queued")).to_be_visible()
        chats[2].send("Third.")
        ahead = chats[2].words("status.queued_behind").format(ahead=1)
        expect(chats[2].tab.get_by_text(ahead)).to_be_visible()

        gate.set()
        chats[0].wait_for_answer(WHOLE)
        chats[1].wait_for_answer("Turn 1. You said: Second.")
        chats[2].wait_for_answer("Turn 1. You said: Third.")
