"""Who answers when the model that was asked cannot."""

import socket
import time as real_time
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble, Unreachable, UpstreamError
from streamlit_assistant.providers.base import (
    Answering,
    Noticed,
    ReasoningDelta,
    TextDelta,
)
from streamlit_assistant.providers.retrying import SteadyProvider
from tests.providers.steady import (
    FakeTime,
    asked,
    candidate,
    chat_candidate,
    notices,
    text,
    times,
)
from tests.scripted_provider import STOP, Line, ScriptedProvider
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import (
    Answer,
    Ending,
    Script,
    context_too_long,
    model_not_found,
    out_of_credit,
    rate_limited,
    server_error,
    spoken,
    wrong_key,
)

DOWN = Unreachable("Nobody listens.")
GONE = UpstreamError("No such model.", trouble=Trouble.ELSEWHERE)
ONE, TWO, THREE = "http://one/v1", "http://two/v1", "http://three/v1"


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def servers() -> Iterator[tuple[Upstream, Upstream]]:
    with model_server() as one, model_server() as two:
        yield one, two


@pytest.fixture
async def steady(
    servers: tuple[Upstream, Upstream], time: FakeTime
) -> AsyncIterator[SteadyProvider]:
    """Two models at servers on real sockets."""
    one, two = servers
    async with (
        httpx2.AsyncClient(base_url=one.base_url) as first,
        httpx2.AsyncClient(base_url=two.base_url) as second,
    ):
        line_up = [
            chat_candidate(first, one.base_url, "asked"),
            chat_candidate(second, two.base_url, "other"),
        ]
        yield SteadyProvider(line_up, time.steadiness())


@pytest.mark.parametrize("failure", [out_of_credit(), wrong_key(), model_not_found()])
async def test_what_only_another_can_help_with_is_asked_of_it_at_once(
    servers: tuple[Upstream, Upstream], steady: SteadyProvider, time: FakeTime, failure: Script
) -> None:
    one, two = servers
    one.queue(failure)
    two.queue(spoken("There."))

    seen, error = await asked(steady)

    assert (text(seen), error, time.slept) == ("There.", None, [])
    assert (len(one.requests), len(two.requests)) == (1, 1)
    assert two.requests[0].body["model"] == "other"


async def test_the_stand_in_is_introduced_before_its_first_word(
    servers: tuple[Upstream, Upstream], steady: SteadyProvider
) -> None:
    one, two = servers
    one.queue(out_of_credit())
    two.queue(Answer(["There."], thoughts=["hm"]))

    seen, _ = await asked(steady)

    told, answering, first, *_ = seen
    assert isinstance(told, Noticed)
    assert told.code == "fallback"
    assert (told.details["asked"], told.details["answered"]) == ("asked", "other")
    assert "its budget is used up" in told.details["reason"]
    assert told.message.startswith("other answers in place of asked: The model server at")
    assert answering == Answering("other")
    assert first == ReasoningDelta("hm")


@pytest.mark.parametrize("failure", [server_error(503), rate_limited("0"), server_error(500)])
async def test_another_is_asked_once_trying_again_did_not_help(
    servers: tuple[Upstream, Upstream], steady: SteadyProvider, failure: Script
) -> None:
    one, two = servers
    one.queue(*[failure] * 4)
    two.queue(spoken("There."))

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert (len(one.requests), len(two.requests)) == (4, 1)


async def test_another_is_asked_at_once_if_the_wait_would_be_too_long(
    servers: tuple[Upstream, Upstream], steady: SteadyProvider, time: FakeTime
) -> None:
    one, two = servers
    one.queue(rate_limited("120"))
    two.queue(spoken("There."))

    seen, error = await asked(steady)

    assert (text(seen), error, time.slept) == ("There.", None, [])


async def test_another_is_asked_within_a_second_where_nobody_listens(
    servers: tuple[Upstream, Upstream], time: FakeTime
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    two = servers[1]
    two.queue(spoken("There."))
    async with (
        httpx2.AsyncClient(base_url=nowhere) as first,
        httpx2.AsyncClient(base_url=two.base_url) as second,
    ):
        line_up = [
            chat_candidate(first, nowhere, "asked"),
            chat_candidate(second, two.base_url, "other"),
        ]
        began = real_time.monotonic()
        seen, error = await asked(SteadyProvider(line_up, time.steadiness()))

    assert (text(seen), error, time.slept) == ("There.", None, [])
    assert real_time.monotonic() - began < 1
    assert "cannot be reached" in notices(seen)[0].details["reason"]


async def test_nobody_else_is_asked_once_something_was_seen(
    servers: tuple[Upstream, Upstream], steady: SteadyProvider
) -> None:
    one, two = servers
    one.queue(Answer(["Half"], ending=Ending.CUT))

    seen, error = await asked(steady)

    assert error is not None
    assert (text(seen), notices(seen), len(two.requests)) == ("Half", [], 0)


async def test_nobody_else_is_asked_what_is_wrong_in_itself(
    servers: tuple[Upstream, Upstream], steady: SteadyProvider
) -> None:
    one, two = servers
    one.queue(context_too_long())

    _, error = await asked(steady)

    assert error is not None
    assert error.code is RunErrorCode.INVALID_PROMPT
    assert len(two.requests) == 0


def three(
    time: FakeTime, *scripts: list[list[Line]]
) -> tuple[list[ScriptedProvider], SteadyProvider]:
    """Three models, each with its scripts."""
    providers = [ScriptedProvider(*lines) for lines in scripts]
    places = zip(providers, ("asked", "second", "third"), (ONE, TWO, THREE), strict=False)
    return providers, SteadyProvider([candidate(*place) for place in places], time.steadiness())


async def test_stand_ins_are_asked_in_their_order(time: FakeTime) -> None:
    providers, steady = three(time, [[GONE]], [[DOWN]], [["There.", STOP]])

    seen, error = await asked(steady)

    assert (text(seen), error, time.slept) == ("There.", None, [])
    assert [known.details["answered"] for known in notices(seen)] == ["third"]
    assert [len(provider.requests) for provider in providers] == [1, 1, 1]


async def test_when_nobody_can_answer_all_the_reasons_are_told(time: FakeTime) -> None:
    quota = UpstreamError("No money.", RunErrorCode.RATE_LIMIT_EXCEEDED, trouble=Trouble.ELSEWHERE)
    _, steady = three(time, [[quota]], [[GONE]])

    seen, error = await asked(steady)

    assert seen == []
    assert error is not None
    assert error.message == "No money. second was asked instead: No such model."
    assert error.code is RunErrorCode.RATE_LIMIT_EXCEEDED


async def test_the_last_one_is_tried_again_when_nobody_listens_there(time: FakeTime) -> None:
    providers, steady = three(time, [[DOWN]], [[DOWN], [DOWN], ["There.", STOP]])

    seen, error = await asked(steady)

    assert (text(seen), error, time.slept) == ("There.", None, [0.5, 1.0])
    assert [len(provider.requests) for provider in providers] == [1, 3]


async def test_later_rounds_stay_with_who_answered_and_say_nothing_more(time: FakeTime) -> None:
    providers, steady = three(time, [[GONE]], [["one", STOP], ["two", STOP]])
    await asked(steady)

    seen, error = await asked(steady)

    assert (seen, error) == ([TextDelta("two"), STOP], None)
    assert len(providers[0].requests) == 1


async def test_a_later_round_may_come_back_to_who_was_asked_first(time: FakeTime) -> None:
    _, steady = three(time, [[GONE], ["again", STOP]], [["one", STOP], [GONE]])
    await asked(steady)

    seen, error = await asked(steady)

    assert (seen, error) == ([Answering("asked"), TextDelta("again"), STOP], None)


async def test_a_server_that_is_down_is_skipped_for_a_while(time: FakeTime) -> None:
    shared = time.steadiness()
    first = ScriptedProvider(*times(3, DOWN), ["Back.", STOP])
    second = ScriptedProvider(*times(4, "There.", STOP))
    line_up = [candidate(first, "asked", ONE), candidate(second, "other", TWO)]
    for _ in range(3):
        await asked(SteadyProvider(line_up, shared))

    skipped, _ = await asked(SteadyProvider(line_up, shared))
    asked_while_down = len(first.requests)
    time.now += 30
    back, _ = await asked(SteadyProvider(line_up, shared))

    assert (text(skipped), text(back)) == ("There.", "Back.")
    assert asked_while_down == 3
    reason = notices(skipped)[0].details["reason"]
    assert reason == "its server could not be reached a moment ago."


async def test_a_server_that_is_down_is_asked_all_the_same_if_there_is_no_other(
    time: FakeTime,
) -> None:
    shared = time.steadiness()
    provider = ScriptedProvider(*times(4, DOWN), ["Back.", STOP])
    line_up = [candidate(provider, "asked")]
    _, error = await asked(SteadyProvider(line_up, shared))

    seen, _ = await asked(SteadyProvider(line_up, shared))

    assert error is DOWN
    assert shared.breaker.is_open(ONE) is False  # closed by the answer
    assert text(seen) == "Back."


async def test_a_server_that_is_down_is_the_last_resort(time: FakeTime) -> None:
    shared = time.steadiness()
    for _ in range(3):
        shared.breaker.failed(ONE)
    first, second = ScriptedProvider(["There.", STOP]), ScriptedProvider([GONE])
    line_up = [candidate(first, "asked", ONE), candidate(second, "other", TWO)]

    seen, error = await asked(SteadyProvider(line_up, shared))

    assert (seen, error) == ([TextDelta("There."), STOP], None)
