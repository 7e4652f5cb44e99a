"""How the scripted `/v1/responses` ends an answer, and how it speaks for other servers."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.upstream import Upstream, model_server
from tests.upstream_items import (
    strange_item,
)
from tests.upstream_reading import (
    SOON,
    events_of,
    held_to_types,
    kinds,
    official_client,
    stream,
)
from tests.upstream_scripts import Answer, Ending, empty_stream
from tests.upstream_wire import (
    COMPACT,
    LLAMA_CPP,
    OPENAI,
    Call,
)

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with official_client(upstream) as opened:
        yield opened


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("length", "max_output_tokens"),
        ("content_filter", "content_filter"),
        ("max_messages", "max_messages"),
        ("steered", "steered"),
    ],
)
def test_an_answer_may_stay_incomplete(upstream: Upstream, reason: str, told: str) -> None:
    upstream.queue(Answer(["half"], reason=reason, dialect=OPENAI))
    last = held_to_types(events_of(upstream))[-1]

    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": told}
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_failures_are_told_in_three_ways(client: openai.OpenAI, upstream: Upstream) -> None:
    error = {"code": "rate_limit_exceeded", "message": "Too much."}
    for ending in (Ending.FAILED, Ending.FLAT_ERROR, Ending.ERROR):
        upstream.queue(Answer(["a"], ending=ending, error=error))
    failed, flat = held_to_types(events_of(upstream)), held_to_types(events_of(upstream))

    assert failed[-1]["response"]["error"] == error
    assert failed[-1]["response"]["status"] == "failed"
    assert (flat[-1]["type"], flat[-1]["code"]) == ("error", "rate_limit_exceeded")
    with pytest.raises(openai.APIError, match="Too much"):
        stream(client)


@pytest.mark.parametrize("ending", [Ending.EARLY, Ending.NO_FINISH])
def test_a_stream_may_just_stop(upstream: Upstream, ending: Ending) -> None:
    upstream.queue(Answer(["a"], ending=ending))
    assert kinds(events_of(upstream))[-1] == "response.output_text.delta"


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET])
def test_a_connection_may_break(client: openai.OpenAI, upstream: Upstream, ending: Ending) -> None:
    upstream.queue(Answer(["a"], ending=ending))
    with pytest.raises((openai.APIConnectionError, httpx2.HTTPError)):
        stream(client)


def test_a_stream_may_be_empty_or_broken_or_none_at_all(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(
        empty_stream(), Answer(["a"], as_one_body=True), Answer(["a"], ending=Ending.BROKEN_JSON)
    )

    assert stream(client) == []
    assert stream(client) == []
    with pytest.raises(json.JSONDecodeError):
        stream(client)


def test_a_server_may_hang_and_notices_who_gives_up(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], ending=Ending.HANG))
    with official_client(upstream, 0.2) as client, pytest.raises(openai.APITimeoutError):
        stream(client)
    assert upstream.requests[0].hung_up.wait(SOON)


def test_unknown_events_and_items_come_among_the_others(upstream: Upstream) -> None:
    strange = [{"type": "response.dream.delta", "delta": "zzz"}]
    upstream.queue(Answer(["a"], items=[strange_item()], strange=strange, dialect=OPENAI))
    events = events_of(upstream)

    assert "response.dream.delta" in kinds(events)
    assert "response.dream_call.dreaming" in kinds(events)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_llama_cpp_speaks_in_its_own_way(upstream: Upstream) -> None:
    upstream.queue(
        Answer(["half"], thoughts=["Hm."], reason="length", dialect=LLAMA_CPP),
        Answer(calls=[Call("f")], dialect=LLAMA_CPP),
    )
    cut, called = events_of(upstream, tools=[WEATHER]), events_of(upstream)

    assert kinds(cut)[:4] == ["response.created", "response.in_progress"] * 2
    assert kinds(called)[:2] == ["response.created", "response.in_progress"]
    assert "response.reasoning_text.delta" in kinds(cut)
    last = cut[-1]["response"]
    assert (cut[-1]["type"], last["status"]) == ("response.completed", "completed")
    assert set(last["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}
    assert not {"sequence_number", "output_index"} & set().union(*cut)
    assert "id" not in called[-1]["response"]["output"][0]


def test_others_name_no_events_and_end_with_a_word(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], dialect=COMPACT))
    body = {"model": "m", "input": "Hi", "stream": True}
    text = httpx2.post(f"{upstream.base_url}/responses", json=body).text

    assert "event:" not in text and text.rstrip().endswith("[DONE]")
