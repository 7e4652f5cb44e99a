"""A conversation with tools over two rounds, by the official client, through each adapter."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from streamlit_assistant.settings import Settings
from tests.stream_order import check_order
from tests.upstream_replies import Received
from tests.upstream_scripts import Answer
from tests.upstream_wire import (
    DIALECTS,
    HALF_TAGS,
    LLAMA_CPP,
    LM_STUDIO,
    OLLAMA,
    OPENAI,
    Call,
    Dialect,
)
from tests.upstreams.matrix import DONE, LATER, REMEMBERED
from tests.upstreams.rows import CHAT, NAME, OSLO, RESPONSES, ROME, WITH_TOOLS
from tests.upstreams.site import Places, site
from tests.upstreams.talk import Talk

BERLIN = '{"city": "Berlin"}'
RESPONDERS = {"openai": OPENAI, "ollama": OLLAMA, "llama.cpp": LLAMA_CPP, "lm studio": LM_STUDIO}
SPEAKERS = {
    f"{api}, {name}": (api, dialect)
    for api, dialects in ((CHAT, DIALECTS), (RESPONSES, RESPONDERS))
    for name, dialect in dialects.items()
    if dialect is not HALF_TAGS  # whose first thought is known for one by the model's name only
}


def rounds(dialect: Dialect) -> list[Answer]:
    """Two calls at once after some words, then a third call, then the answer."""
    both = [Call("get_weather", OSLO), Call("get_weather", ROME)]
    return [
        Answer(["Let me ", "see. "], calls=both, thoughts=["Two cities. "], dialect=dialect),
        Answer(calls=[Call("get_weather", BERLIN)], thoughts=["One more. "], dialect=dialect),
        Answer(["Fine ", "everywhere."], dialect=dialect),
    ]


@pytest.fixture(params=SPEAKERS)
def talk(request: pytest.FixtureRequest, settings: Settings, places: Places) -> Iterator[Talk]:
    api, dialect = SPEAKERS[request.param]
    places.upstream.become(*rounds(dialect), dialect=dialect)
    with site(settings, places.base_url(), api) as live:
        yield Talk(live.client(), WITH_TOOLS)


def arguments(called: Any) -> list[str]:
    return [call.function.arguments for call in called]


def check_told(requests: list[Received]) -> None:
    """See that each request tells all that came before, with outputs beside their calls."""
    first, second, third = (request.messages for request in requests[:3])
    for earlier, later in pairwise([first, second, third]):
        assert later[: len(earlier)] == earlier
    told = [turn for turn in third if turn["role"] in ("assistant", "tool")]
    assert [turn["role"] for turn in told] == ["assistant", "tool", "tool", "assistant", "tool"]
    made = [call["id"] for turn in told for call in turn.get("tool_calls", ())]
    answered = [turn["tool_call_id"] for turn in told if turn["role"] == "tool"]
    assert made == answered and len(set(made)) == 3
    outputs = [turn["content"] for turn in told if turn["role"] == "tool"]
    assert outputs == ["Sunny", "Sunny", "Rain"]
    assert "Let me see. " in str(told[0]["content"])


def test_two_rounds_by_polling(talk: Talk, places: Places) -> None:
    run = talk.ask_and_poll(NAME)
    first = run.required_action
    run = talk.submit_and_poll(run, "Sunny")
    second = run.required_action
    run = talk.submit_and_poll(run, "Rain")
    outcome = talk.look(run.id)

    assert first is not None and second is not None
    assert arguments(first.submit_tool_outputs.tool_calls) == [OSLO, ROME]
    assert arguments(second.submit_tool_outputs.tool_calls) == [BERLIN]
    assert run.status == "completed", run.last_error
    assert outcome.text == "Fine everywhere."
    assert [step.type for step in outcome.steps] == [
        "message_creation",
        "tool_calls",
        "tool_calls",
        "message_creation",
    ]
    assert run.usage is not None
    counted = [step.usage.completion_tokens for step in outcome.steps if step.usage]
    assert run.usage.completion_tokens == sum(counted) > 0
    check_told(places.upstream.requests)
    assert talk.ask(LATER).text == REMEMBERED


def test_two_rounds_by_streaming(talk: Talk, places: Places) -> None:
    first = talk.ask(NAME)
    second = talk.submit(first, "Sunny")
    third = talk.submit(second, "Rain")

    assert (first.text, arguments(first.called)) == ("Let me see. ", [OSLO, ROME])
    assert first.heard.text == "Let me see. "
    assert arguments(second.called) == [BERLIN]
    assert (third.run.status, third.text) == ("completed", "Fine everywhere.")
    assert third.heard.text == "Fine everywhere."
    for outcome in (first, second, third):
        check_order([*outcome.heard.pairs, DONE])
    check_told(places.upstream.requests)
    assert talk.ask(LATER).text == REMEMBERED
