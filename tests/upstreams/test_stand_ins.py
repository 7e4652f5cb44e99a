"""Other models than the one that was asked for, and what is remembered from run to run."""

import openai
import pytest

from streamlit_assistant.model_setting_values import FallbackModel
from streamlit_assistant.settings import Settings
from tests.stream_order import check_order
from tests.upstream import model_server
from tests.upstream_rules import knows_only, refuses
from tests.upstream_scripts import Answer, Ending, out_of_credit, spoken
from tests.upstreams.matrix import DONE, LATER, REMEMBERED
from tests.upstreams.page_words import TEXTS, check_page
from tests.upstreams.rows import BOTH, CHAT, NAME, RESPONSES
from tests.upstreams.site import Places, site
from tests.upstreams.talk import Outcome, Talk

on_each_api = pytest.mark.parametrize("api", BOTH)
FINE = spoken("All is well.")


def check_noted(client: openai.OpenAI, talk: Talk, outcome: Outcome, *codes: str) -> None:
    """See that the answer is there, and that the run and the page say how it came about."""
    assert (outcome.run.status, outcome.text) == ("completed", "All is well.")
    assert [notice["code"] for notice in outcome.notices] == list(codes)
    check_order([*outcome.heard.pairs, DONE])
    for locale in TEXTS:
        check_page(client, talk, outcome, locale, text="All is well.")


@on_each_api
def test_another_model_answers_where_the_credit_is_spent(
    api: str, settings: Settings, places: Places
) -> None:
    places.upstream.become(out_of_credit(), FINE, models=("scripted", "spare"))
    spare = (FallbackModel("spare"),)
    with site(settings, places.base_url(), api, fallback_models=spare) as live:
        client = live.client()
        talk = Talk(client, {})
        outcome = talk.ask(NAME)

        assert outcome.run.model == "spare"
        assert outcome.notices[0]["details"]["asked"] == "scripted"
        check_noted(client, talk, outcome, "fallback")
        assert talk.ask(LATER).text == REMEMBERED


@on_each_api
def test_another_server_answers_where_nobody_listens(
    api: str, settings: Settings, places: Places
) -> None:
    with model_server() as gone:
        base_url = gone.base_url
    places.upstream.become(FINE, models=("spare",))
    spare = (FallbackModel("spare", places.base_url()),)
    with site(settings, base_url, api, openai_model="m", fallback_models=spare) as live:
        client = live.client()
        talk = Talk(client, {})
        outcome = talk.ask(NAME)

        check_noted(client, talk, outcome, "fallback")
        assert talk.ask(LATER).text == REMEMBERED


@on_each_api
def test_nobody_takes_over_once_something_was_said(
    api: str, settings: Settings, places: Places
) -> None:
    places.upstream.become(Answer(["half "], ending=Ending.CUT), models=("scripted", "spare"))
    spare = (FallbackModel("spare"),)
    with site(settings, places.base_url(), api, fallback_models=spare) as live:
        talk = Talk(live.client(), {})
        outcome = talk.ask(NAME)

        assert (outcome.run.status, outcome.text) == ("failed", "half ")
        assert outcome.notices == []
        assert len(places.upstream.requests) == 1
        assert talk.ask(LATER).text == REMEMBERED


def test_a_retired_model_is_replaced_and_that_is_said(settings: Settings, places: Places) -> None:
    places.upstream.become(FINE, rules=[knows_only("gpt-6-luna")])
    with site(settings, places.base_url("api.openai.com"), RESPONSES) as live:
        client = live.client()
        talk = Talk(client, {"model": "gpt-4-turbo-preview"})
        outcome = talk.ask(NAME)

        assert outcome.run.model == "gpt-6-luna"
        check_noted(client, talk, outcome, "model_retired")
        assert talk.ask(LATER).text == REMEMBERED


@on_each_api
def test_a_parameter_that_was_refused_is_not_sent_again(
    api: str, settings: Settings, places: Places
) -> None:
    places.upstream.become(FINE, rules=[refuses("temperature")])
    with site(settings, places.base_url(), api) as live:
        client = live.client()
        talk = Talk(client, {"temperature": 0.3})
        check_noted(client, talk, talk.ask(NAME), "parameter_refused")
        again = talk.ask(LATER)

    assert again.text == REMEMBERED
    assert [notice["code"] for notice in again.notices] == ["parameter_refused"]
    refused = [request.refused for request in places.upstream.requests]
    assert refused == [True, False, False]


@on_each_api
def test_the_same_question_is_answered_from_the_cache_and_that_is_said(
    api: str, settings: Settings, places: Places
) -> None:
    places.upstream.become(FINE)
    with site(settings, places.base_url(), api, answer_cache_seconds=60) as live:
        client = live.client()
        first = Talk(client, {}).ask(NAME)
        talk = Talk(client, {})
        second = talk.ask(NAME)

        assert first.notices == []
        assert len(places.upstream.requests) == 1
        check_noted(client, talk, second, "cached")
        assert talk.ask(LATER).text == REMEMBERED


def test_a_model_that_will_be_switched_off_is_named_with_its_day(
    settings: Settings, places: Places
) -> None:
    facts = {"scripted": {"shutdown_date": "2126-11-30"}}
    places.upstream.become(FINE, facts=facts)
    with site(settings, places.base_url(), CHAT) as live:
        client = live.client()
        talk = Talk(client, {"model": "scripted"})
        check_noted(client, talk, talk.ask(NAME), "model_shutdown")
        assert talk.ask(LATER).text == REMEMBERED
