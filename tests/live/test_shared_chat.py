"""A chat that a program shares: what it adds to the thread appears on the page by itself."""

from collections.abc import Iterator

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from playwright.sync_api import expect

from streamlit_assistant.history import ThreadHistory
from tests.live.conftest import OpenTab
from tests.live.held_answer import LAST_OF_HALF, WHOLE, held_answer
from tests.start_process import Site
from tests.upstream import Upstream

pytestmark = pytest.mark.browser

KEY = "key-of-this-site-0123456789"


@pytest.fixture(scope="module")
def shared_site(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shared")
    made = Site.at(folder, OPENAI_BASE_URL=shared_upstream.base_url, ASSISTANT_API_KEY=KEY)
    with made.started():
        yield made


@pytest.fixture
def client(shared_site: Site) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{shared_site.url}/v1", api_key=KEY) as made:
        yield made


def test_what_a_chain_says_appears_without_a_click(
    shared_site: Site, upstream: Upstream, client: openai.OpenAI, open_tab: OpenTab
) -> None:
    chat = open_tab(shared_site.url)
    chat.ask("Hello, my name is Ada.")
    chat.composer.fill("half a thought")

    history = ThreadHistory(client, chat.thread_id())
    history.add_messages([HumanMessage("And I am a chain."), AIMessage("Welcome, chain.")])

    expect(chat.prompts).to_have_text(["Hello, my name is Ada.", "And I am a chain."])
    expect(chat.answers.last).to_have_text("Welcome, chain.")
    expect(chat.composer).to_have_value("half a thought")

    history.clear()
    expect(chat.prompts).to_have_count(0)


def test_an_answer_that_a_program_asked_for_is_followed(
    shared_site: Site, upstream: Upstream, client: openai.OpenAI, open_tab: OpenTab
) -> None:
    chat = open_tab(shared_site.url)
    chat.ask("Hello, my name is Ada.")
    thread_id = chat.thread_id()
    gate = held_answer(upstream)

    client.beta.threads.messages.create(thread_id, role="user", content="Something long, please.")
    client.beta.threads.runs.create(thread_id, assistant_id="asst_default")

    chat.wait_for_words(LAST_OF_HALF)
    gate.set()
    chat.wait_for_answer(WHOLE)
