"""What a chat learns of the model: from our own server, and from one that says nothing."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from streamlit_assistant.chatbot import ChatBot, ChatError, ModelState
from streamlit_assistant.settings import Settings
from tests.chat.scripted_assistants import ScriptedAssistants
from tests.conftest import LiveServer, serve
from tests.providers.probed_server import MODEL, ProbedServer, probed_server


@pytest.fixture
def upstream() -> Iterator[ProbedServer]:
    with probed_server(sees=False, shutdown_date="2027-01-14") as server:
        yield server


@pytest.fixture
def bot(settings: Settings, upstream: ProbedServer) -> Iterator[ChatBot]:
    with serve(replace(settings, openai_base_url=upstream.url)) as site:
        yield ChatBot(site.client(), "asst_default")


def test_who_answers_is_known_before_anything_was_tested(
    bot: ChatBot, upstream: ProbedServer
) -> None:
    assert bot.model() == ModelState(
        server=upstream.url,
        api="chat",
        model=MODEL,
        problem=None,
        shutdown_date="2027-01-14",
        report=None,
        progress=None,
    )


def test_a_test_is_followed_to_its_report(bot: ChatBot, upstream: ProbedServer) -> None:
    upstream.pause = 0.1
    *before, after = bot.test_model()

    done = [state.progress[0] for state in before if state.progress]
    assert done[0] == 0
    assert len(done) == len(before)
    assert done == sorted(done)
    assert after.progress is None
    assert after.report is not None
    verdicts = {check.name: check.verdict for check in after.report.checks}
    assert (verdicts["streaming"], verdicts["vision"]) == ("yes", "no")
    assert (after.report.tokens, after.report.is_estimated) == (450, False)
    assert bot.model() == after


def test_without_a_model_server_it_says_so(offline: LiveServer) -> None:
    state = ChatBot(offline.client(), "asst_default").model()

    assert state is not None
    assert (state.api, state.server) == ("offline", "")


def test_another_server_says_nothing_of_its_model() -> None:
    assert ScriptedAssistants(extensions=False).chatbot().model() is None


def test_an_answer_of_something_else_is_refused() -> None:
    server = ScriptedAssistants()
    server.meets("anything_else", httpx.Response(200, json={"api": 3}))

    with pytest.raises(ChatError) as refused:
        server.chatbot().model()
    assert refused.value.kind == "server"
