"""Parameters that a model refuses: left out once, and remembered."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import replace

import httpx2
import pytest

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.base import Delta, ModelRequest, Noticed, TextDelta
from streamlit_assistant.providers.candidates import Candidate
from streamlit_assistant.providers.retrying import MOST_DROPPED, SteadyProvider
from tests.providers.steady import (
    REQUEST,
    FakeTime,
    FixedPacer,
    asked,
    candidate,
    chat_candidate,
    notices,
    text,
)
from tests.scripted_provider import STOP, ScriptedProvider
from tests.upstream import Upstream, model_server
from tests.upstream_rules import (
    lacks_tool_flags,
    refuses_in_prose,
    refuses_old_limit,
    refuses_values,
)
from tests.upstream_scripts import server_error

WARM = replace(REQUEST, temperature=0.2, top_p=0.5)
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


def no(parameter: str) -> UpstreamError:
    """How an adapter tells of a refused parameter."""
    words = f"Unsupported parameter: '{parameter}'."
    return UpstreamError(words, trouble=Trouble.PARAMETER, parameter=parameter)


@pytest.fixture
def server() -> Iterator[Upstream]:
    with model_server() as running:
        yield running


@pytest.fixture
async def model(server: Upstream) -> AsyncIterator[Candidate]:
    async with httpx2.AsyncClient(base_url=server.base_url) as client:
        yield chat_candidate(client, server.base_url, "asked")


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


async def test_what_a_model_refuses_is_left_out_at_once_and_told(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(refuses_values("temperature"))

    seen, error = await asked(SteadyProvider([model], time.steadiness()), WARM)

    assert error is None
    assert text(seen)
    assert [request.body.get("temperature") for request in server.requests] == [0.2, None]
    assert server.requests[1].body["top_p"] == 0.5
    assert time.slept == []
    assert [(known.code, dict(known.details)) for known in notices(seen)] == [
        ("parameter_refused", {"parameter": "temperature", "model": "asked"})
    ]


async def test_it_is_remembered_so_that_the_next_run_sends_it_no_more(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(refuses_values("temperature", "top_p"))
    shared = time.steadiness()
    await asked(SteadyProvider([model], shared), WARM)
    before = len(server.requests)

    seen, error = await asked(SteadyProvider([model], shared), WARM)

    assert error is None
    assert (before, len(server.requests)) == (3, 4)
    assert not {"temperature", "top_p"} & set(server.requests[-1].body)
    # The person of this run shall know it too.
    assert [known.details["parameter"] for known in notices(seen)] == ["temperature", "top_p"]


async def test_it_is_told_once_a_run(time: FakeTime) -> None:
    provider = ScriptedProvider([no("temperature")], ["one", STOP], ["two", STOP])
    steady = SteadyProvider([candidate(provider, "asked")], time.steadiness())
    await asked(steady, WARM)

    seen, _ = await asked(steady, WARM)

    assert seen == [TextDelta("two"), STOP]


async def test_other_models_are_still_sent_it(time: FakeTime) -> None:
    shared = time.steadiness()
    provider = ScriptedProvider([no("temperature")], ["one", STOP], ["two", STOP])
    await asked(SteadyProvider([candidate(provider, "asked")], shared), WARM)

    await asked(SteadyProvider([candidate(provider, "other")], shared), WARM)

    assert provider.requests[-1].refused == frozenset()


async def test_what_nobody_asked_for_is_left_out_without_a_word(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(refuses_in_prose("stream_options"))

    seen, error = await asked(SteadyProvider([model], time.steadiness()))

    assert (notices(seen), error, len(server.requests)) == ([], None, 2)


async def test_the_limit_goes_by_its_other_name_without_a_word(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(refuses_old_limit)
    request = replace(REQUEST, max_completion_tokens=50)

    seen, error = await asked(SteadyProvider([model], time.steadiness()), request)

    assert (notices(seen), error) == ([], None)
    assert server.requests[1].body["max_completion_tokens"] == 50


async def test_a_schema_that_is_refused_is_asked_for_in_words(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(refuses_in_prose("response_format"))
    request = replace(REQUEST, response_format=SCHEMA)

    seen, error = await asked(SteadyProvider([model], time.steadiness()), request)

    assert error is None
    assert [known.details["parameter"] for known in notices(seen)] == ["response_format"]
    assert '{"type":"object"}' in str(server.requests[1].body["messages"])


async def test_what_cannot_be_left_out_fails_in_the_servers_words(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(lacks_tool_flags)
    request = replace(REQUEST, functions=[{"name": "f"}])

    _, error = await asked(SteadyProvider([model], time.steadiness()), request)

    assert error is not None
    assert "this model cannot call functions" in error.message
    assert len(server.requests) == 1


async def test_what_one_model_cannot_be_asked_another_one_may_be(time: FakeTime) -> None:
    first, second = ScriptedProvider([no("tools")]), ScriptedProvider(["There.", STOP])
    line_up = [candidate(first, "asked"), candidate(second, "other", "http://two/v1")]

    seen, error = await asked(SteadyProvider(line_up, time.steadiness()))

    assert (text(seen), error) == ("There.", None)


async def test_the_same_parameter_is_not_left_out_twice(time: FakeTime) -> None:
    shared = time.steadiness()
    provider = ScriptedProvider([no("temperature")], [no("temperature")])

    _, error = await asked(SteadyProvider([candidate(provider, "asked")], shared), WARM)

    assert error is not None
    assert error.parameter == "temperature"
    assert len(provider.requests) == 2
    assert shared.refused.of("http://one/v1", REQUEST) == frozenset()  # it did not help


async def test_leaving_out_is_no_try_and_what_fails_then_is_tried_again(
    server: Upstream, model: Candidate, time: FakeTime
) -> None:
    server.rules.append(refuses_values("temperature"))
    server.queue(*[server_error()] * 3)

    _, error = await asked(SteadyProvider([model], time.steadiness()), WARM)

    assert error is None
    assert len(server.requests) == 5
    assert "temperature" not in server.requests[-1].body


async def test_each_request_takes_a_place(time: FakeTime) -> None:
    pacer = FixedPacer([])
    provider = ScriptedProvider([no("temperature")], ["There.", STOP])
    steady = SteadyProvider([candidate(provider, "asked")], time.steadiness(pacer=pacer))

    await asked(steady, WARM)

    assert len(pacer.reserved) == 2


async def test_what_the_request_itself_says_is_refused_is_kept(time: FakeTime) -> None:
    provider = ScriptedProvider([no("temperature")], ["There.", STOP])
    steady = SteadyProvider([candidate(provider, "asked")], time.steadiness())

    seen, _ = await asked(steady, replace(WARM, refused=frozenset({"store"})))

    assert [known.refused for known in provider.requests] == [{"store"}, {"store", "temperature"}]
    assert isinstance(seen[0], Noticed)


class Insatiable:
    """A server that refuses another parameter each time."""

    def __init__(self) -> None:
        self.asked = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        self.asked += 1
        if self.asked > 100:
            raise AssertionError("it is asked without end")
        raise no(f"metadata.part_{self.asked}")
        yield

    async def cancel(self, begun: str) -> None: ...


async def test_a_server_that_always_refuses_something_else_is_given_up(time: FakeTime) -> None:
    provider = Insatiable()

    _, error = await asked(SteadyProvider([candidate(provider, "asked")], time.steadiness()))

    assert error is not None
    assert provider.asked == MOST_DROPPED + 1


async def test_an_effort_that_is_refused_does_not_cost_others_theirs(time: FakeTime) -> None:
    shared = time.steadiness()
    provider = ScriptedProvider([no("reasoning_effort")], ["One.", STOP], ["Two.", STOP])
    model = candidate(provider, "asked")

    await asked(SteadyProvider([model], shared), replace(REQUEST, reasoning_effort="none"))
    seen, _ = await asked(SteadyProvider([model], shared), replace(REQUEST, reasoning_effort="low"))

    assert (text(seen), notices(seen)) == ("Two.", [])
    assert provider.requests[-1].refused == frozenset()
