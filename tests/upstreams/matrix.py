"""Plays a row of the matrix and sees that every part of the product says the same of it."""

from collections.abc import Sequence
from typing import Any

import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.stream_order import check_order
from tests.upstreams.page_words import check_page
from tests.upstreams.rows import CHAT, RESPONSES, Expected, Row
from tests.upstreams.site import KEY, Places, site
from tests.upstreams.talk import Outcome, Talk

DONE = ("done", "[DONE]")
# A page takes its time, so each row is read in one language with each API.
LANGUAGES = {CHAT: "en-US", RESPONSES: "zh-CN"}
LATER, REMEMBERED = "What is my name?", "Your name is Ada."


def each(rows: Sequence[Row]) -> pytest.MarkDecorator:
    """Try a row after the other, with each API that it concerns."""
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), "two rows of one name"
    return pytest.mark.parametrize(
        ("row", "api"),
        [pytest.param(row, api, id=f"{row.name}, {api}") for row in rows for api in row.apis],
    )


def play(row: Row, api: str, settings: Settings, places: Places) -> None:
    """Ask, and check the run, the message, the events, the page, and that the chat goes on."""
    upstream = places.upstream
    upstream.become(
        *row.scripts,
        rules=row.rules,
        dialect=row.dialect,
        models=(row.model,),
        facts={row.model: dict(row.facts)},
    )
    with site(settings, places.base_url(row.host), api, **row.settings) as live:
        client = live.client()
        talk = Talk(client, row.assistant)
        outcome = talk.ask(row.question, **row.run)
        check(outcome, row.expected)
        assert row.expected.asked in (None, len(upstream.requests))
        check_page_of(client, talk, outcome, row.expected, LANGUAGES[api])
        check_that_it_goes_on(talk, outcome, row)
    assert {request.path for request in upstream.requests} == {path_of(api)}
    bodies = [request.body for request in upstream.requests]
    assert row.sends is None or row.sends(bodies), bodies


def path_of(api: str) -> str:
    """Return the endpoint that is asked."""
    return "/v1/responses" if api == RESPONSES else "/v1/chat/completions"


def check(outcome: Outcome, expected: Expected) -> None:
    """Check the run, its message and its events."""
    run, error = outcome.run, outcome.run.last_error
    assert (run.status, error and error.code) == (expected.status, expected.code), error
    if error is not None:
        assert expected.words in error.message
        assert error.message[0].isupper() and KEY not in error.message
    details = run.incomplete_details
    assert (details.reason if details else None) == expected.run_reason
    check_message(outcome, expected)
    assert [call.function.arguments for call in outcome.called] == list(expected.calls)
    assert [notice["code"] for notice in outcome.notices] == list(expected.notices)
    check_order([*outcome.heard.pairs, DONE])
    if expected.usage:
        told = run.usage.model_dump(exclude_none=True) if run.usage else {}
        assert {name: told.get(name) for name in expected.usage} == expected.usage


def check_message(outcome: Outcome, expected: Expected) -> None:
    """Check what was said: as it is stored, and as it was streamed."""
    assert (outcome.text or None) == expected.text
    assert outcome.refusal == expected.refusal
    said = outcome.messages[-1] if outcome.messages else None
    if said is not None:
        details = said.incomplete_details
        assert (details.reason if details else None) == expected.reason
        assert said.status == ("incomplete" if expected.reason else "completed")
        assert (said.model_extra or {}).get("reasoning") == expected.thinking
    assert outcome.heard.text == "".join(map(text_of, outcome.messages))
    assert outcome.heard.arguments == "".join(expected.calls)


def text_of(message: Any) -> str:
    """Return the text of a message."""
    return "".join(part.text.value for part in message.content if part.type == "text")


def check_page_of(
    client: openai.OpenAI, talk: Talk, outcome: Outcome, expected: Expected, locale: str
) -> None:
    """Check what a person reads."""
    # The page shows the thoughts above the answer, and a refusal as any other text.
    answer = [part for part in (expected.text, expected.refusal) if part]
    text = " ".join([expected.thinking or "", *answer]) if answer else None
    check_page(client, talk, outcome, locale, key=expected.page, text=text)


def check_that_it_goes_on(talk: Talk, outcome: Outcome, row: Row) -> None:
    """Answer what the run waits for, and ask the next question."""
    if outcome.called:
        outcome = talk.submit(outcome, "Fine: {}")
        assert outcome.run.status == "completed", outcome.run.last_error
        fine = "; ".join(f"Fine: {call}" for call in row.expected.calls)
        assert outcome.text == f"I was told: {fine}"
        check_order([*outcome.heard.pairs, DONE])
    again = talk.ask(LATER, **row.later)
    assert again.run.status == "completed", again.run.last_error
    assert again.text == REMEMBERED
    check_order([*again.heard.pairs, DONE])
