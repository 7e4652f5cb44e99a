"""Pictures and files that answers bring, as a real browser gets them: without the site's key."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.live.conftest import OpenTab
from tests.start_process import Site
from tests.ui.test_message_files import png
from tests.upstream import Upstream
from tests.upstream_items import code_run, image_drawn
from tests.upstream_scripts import Answer
from tests.upstream_wire import JSON, OPENAI

pytestmark = pytest.mark.browser

PICTURE = png()
TABLE = b"a,b\n1,2\n"
LINK = "sandbox:/mnt/data/table.csv"
SAID = f"It is in [table.csv]({LINK})."
CITED: JSON = {
    "type": "container_file_citation",
    "container_id": "cntr_1",
    "file_id": "cfile_1",
    "filename": "table.csv",
    "start_index": SAID.index(LINK),
    "end_index": SAID.index(LINK) + len(LINK),
}


@pytest.fixture
def hosted(tmp_path: Path, upstream: Upstream) -> Iterator[Site]:
    """A site whose model server has tools of its own."""
    wanted = "image_generation, code_interpreter"
    made = Site.at(
        tmp_path,
        OPENAI_BASE_URL=upstream.base_url,
        OPENAI_API="responses",
        HOSTED_TOOLS=wanted,
    )
    with made.started():
        yield made


def test_a_picture_is_in_sight_and_the_browser_asks_the_page_for_it(
    hosted: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    upstream.queue(Answer(["Here."], items=[image_drawn(PICTURE)], dialect=OPENAI))
    chat = open_tab(hosted.url)
    asked: list[str] = []
    chat.tab.on("request", lambda request: asked.append(urlsplit(request.url).path))

    assert chat.ask("Draw a dot.") == "Here."

    picture = chat.answers.last.get_by_role("img", name=chat.words("picture.alt"))
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    assert not [path for path in asked if path.startswith("/v1")]


def test_a_file_is_fetched_with_a_button_and_its_link_is_text(
    hosted: Site, upstream: Upstream, open_tab: OpenTab
) -> None:
    upstream.containers.put("cntr_1", "cfile_1", "table.csv", TABLE)
    made = code_run("make()", ["made"])
    upstream.queue(Answer([SAID], items=[made], annotations=[CITED], dialect=OPENAI))
    chat = open_tab(hosted.url)
    assert chat.ask("Make a table.").startswith("It is in table.csv.")
    expect(chat.answers.last.get_by_role("link")).to_have_count(0)

    with chat.tab.expect_download() as download:
        chat.answers.last.get_by_role("button", name="table.csv").click()

    assert download.value.suggested_filename == "table.csv"
    assert download.value.path().read_bytes() == TABLE
