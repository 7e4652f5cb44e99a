"""Model servers that are not there, or not what they are taken for, and what helps."""

from contextlib import ExitStack

import pytest

from streamlit_assistant.settings import Settings
from tests.conftest import LiveServer
from tests.stream_order import check_order
from tests.upstream import model_server
from tests.upstream_rules import has_no_responses
from tests.upstream_scripts import Answer, spoken
from tests.upstreams.matrix import DONE, LANGUAGES, LATER, REMEMBERED
from tests.upstreams.page_words import check_page
from tests.upstreams.rows import BOTH, CHAT, NAME, RESPONSES
from tests.upstreams.site import Places, impatient, settings_for, site
from tests.upstreams.talk import Outcome, Talk

on_each_api = pytest.mark.parametrize("api", BOTH)


def check_failed(live: LiveServer, talk: Talk, outcome: Outcome, words: str, locale: str) -> None:
    """See that everybody is told that nobody answers, and why."""
    error = outcome.run.last_error
    assert (outcome.run.status, outcome.text) == ("failed", None)
    assert error is not None and error.code == "server_error"
    assert words in error.message
    check_order([*outcome.heard.pairs, DONE])
    check_page(live.client(), talk, outcome, locale, key="ending.failed")


@on_each_api
def test_a_server_that_is_down_is_named_and_asked_again_when_it_is_back(
    api: str, settings: Settings
) -> None:
    with model_server() as gone:
        base_url = gone.base_url
    with site(settings, base_url, api, openai_model="m") as live:
        talk = Talk(live.client(), {})
        outcome = talk.ask(NAME)
        check_failed(live, talk, outcome, "cannot be reached", LANGUAGES[api])
        with model_server(port=gone.port):
            assert talk.ask(LATER).text == REMEMBERED


@on_each_api
def test_a_server_that_comes_back_in_time_answers(api: str, settings: Settings) -> None:
    with model_server() as gone:
        base_url = gone.base_url
    with ExitStack() as back:

        def come_back() -> None:
            back.enter_context(model_server(spoken("Back again."), port=gone.port))

        with site(
            settings, base_url, api, steadiness=impatient(come_back), openai_model="m"
        ) as live:
            outcome = Talk(live.client(), {}).ask(NAME)

    assert (outcome.run.status, outcome.text) == ("completed", "Back again.")


def test_a_server_without_responses_says_so_and_chat_completions_help(
    settings: Settings, places: Places
) -> None:
    places.upstream.become(rules=[has_no_responses])
    with site(settings, places.base_url(), RESPONSES) as live:
        talk = Talk(live.client(), {})
        outcome = talk.ask(NAME)
        check_failed(live, talk, outcome, "does not know this model or address", "en-US")
        live.server.reload(settings_for(settings, places.base_url(), CHAT))
        assert talk.ask(LATER).text == REMEMBERED


@on_each_api
def test_a_server_that_answers_in_another_model_s_name_is_believed(
    api: str, settings: Settings, places: Places
) -> None:
    places.upstream.become(Answer(["Hello."], model="scripted-2026-11-20"))
    with site(settings, places.base_url(), api) as live:
        outcome = Talk(live.client(), {}).ask(NAME)

    assert (outcome.run.status, outcome.text) == ("completed", "Hello.")
