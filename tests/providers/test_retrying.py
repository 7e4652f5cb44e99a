"""Retry, against model servers on real sockets, in time that costs nothing."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import httpx2
import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble, Unreachable, UpstreamError
from streamlit_assistant.providers.base import (
    CallStart,
    Delta,
    Finish,
    FinishReason,
    MessageStart,
    ModelRequest,
    Noticed,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.retrying import SteadyProvider
from tests.providers.steady import (
    REQUEST,
    FakeTime,
    FixedPacer,
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
    Body,
    Ending,
    Script,
    context_too_long,
    empty_stream,
    model_not_found,
    out_of_credit,
    rate_limited,
    server_error,
    spoken,
    web_page,
    wrong_key,
)

BROKEN = UpstreamError("It broke.")


@pytest.fixture
def server() -> Iterator[Upstream]:
    with model_server() as running:
        yield running


@pytest.fixture
async def client(server: Upstream) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.base_url) as opened:
        yield opened


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def steady(server: Upstream, client: httpx2.AsyncClient, time: FakeTime) -> SteadyProvider:
    return SteadyProvider([chat_candidate(client, server.base_url, "asked")], time.steadiness())


def scripted(
    time: FakeTime, *scripts: list[Line], chance: float = 0.5
) -> tuple[ScriptedProvider, SteadyProvider]:
    provider = ScriptedProvider(*scripts)
    return provider, SteadyProvider([candidate(provider, "asked")], time.steadiness(chance=chance))


async def test_an_answer_passes_through_as_it_is(
    server: Upstream, steady: SteadyProvider, time: FakeTime
) -> None:
    server.queue(spoken("Hello there."))

    seen, error = await asked(steady)

    assert (text(seen), notices(seen), error) == ("Hello there.", [], None)
    assert sum(isinstance(delta, Finish) for delta in seen) == 1
    assert time.slept == []


@pytest.mark.parametrize(
    "failure",
    [
        server_error(500),
        server_error(502),
        web_page(502),
        server_error(409),
        empty_stream(),
        Answer(ending=Ending.CUT),
        Answer(ending=Ending.ERROR),
        Answer(thoughts=["hm"], ending=Ending.EARLY),
        rate_limited("0"),
    ],
)
async def test_what_may_pass_is_tried_again(
    server: Upstream, steady: SteadyProvider, time: FakeTime, failure: Script
) -> None:
    server.queue(failure, failure, failure, spoken("There."))

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert time.slept == [0.5, 1.0, 2.0]
    assert len(server.requests) == 4


async def test_after_four_tries_the_failure_is_told(
    server: Upstream, steady: SteadyProvider, time: FakeTime
) -> None:
    server.queue(*[server_error()] * 5)

    seen, error = await asked(steady)

    assert error is not None
    assert "failed with status 500" in error.message
    assert len(server.requests) == 4
    assert time.slept == [0.5, 1.0, 2.0]
    assert [known.code for known in notices(seen)] == ["waiting"]  # of the two seconds alone


@pytest.mark.parametrize(("chance", "waits"), [(0.0, [0.375, 0.75]), (1.0, [0.625, 1.25])])
async def test_waits_differ_so_that_not_all_come_back_at_once(
    time: FakeTime, chance: float, waits: list[float]
) -> None:
    _, steady = scripted(time, [BROKEN], [BROKEN], ["hi", STOP], chance=chance)

    await asked(steady)

    assert time.slept == waits


async def test_the_wait_that_a_server_asks_for_is_kept_and_told(
    server: Upstream, steady: SteadyProvider, time: FakeTime
) -> None:
    server.queue(rate_limited("7"), spoken("There."))

    seen, error = await asked(steady)

    assert (text(seen), error, time.slept) == ("There.", None, [7.0])
    [waiting] = notices(seen)
    assert waiting.code == "waiting"
    assert waiting.details["seconds"] == "7"
    assert "refuses more requests for now" in waiting.details["reason"]
    assert waiting.message.endswith("Asking again in 7 seconds.")
    assert seen.index(waiting) == 0


async def test_a_wait_of_milliseconds_is_never_shorter_than_our_own(
    server: Upstream, steady: SteadyProvider, time: FakeTime
) -> None:
    server.queue(rate_limited("9", **{"retry-after-ms": "20"}), spoken("There."))

    await asked(steady)

    assert time.slept == [0.5]


async def test_a_wait_that_is_too_long_is_not_begun(
    server: Upstream, steady: SteadyProvider, time: FakeTime
) -> None:
    server.queue(rate_limited("61"))

    _, error = await asked(steady)

    assert error is not None
    assert error.code is RunErrorCode.RATE_LIMIT_EXCEEDED
    assert error.retry_after == 61.0
    assert (time.slept, len(server.requests)) == ([], 1)


async def test_no_try_begins_after_the_cap(server: Upstream, steady: SteadyProvider) -> None:
    server.queue(rate_limited("25"), rate_limited("25"), rate_limited("25"), spoken("Late."))

    _, error = await asked(steady)

    assert error is not None
    assert len(server.requests) == 3


class SlowProvider(ScriptedProvider):
    """Takes its time and breaks."""

    def __init__(self, time: FakeTime, seconds: float) -> None:
        super().__init__()
        self._time = time
        self._seconds = seconds

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        self._time.now += self._seconds
        yield ReasoningDelta("hm")
        raise BROKEN


@pytest.mark.parametrize(("seconds", "tries"), [(59.9, 1), (59.0, 2), (20.0, 3), (1.0, 4)])
async def test_time_that_a_try_takes_counts_towards_the_cap(
    time: FakeTime, seconds: float, tries: int
) -> None:
    provider = SlowProvider(time, seconds)
    steady = SteadyProvider([candidate(provider, "asked")], time.steadiness())

    _, error = await asked(steady)

    assert error is BROKEN
    assert len(provider.requests) == tries


@pytest.mark.parametrize(
    "failure",
    [
        out_of_credit(),
        Body({"error": {"message": "no credits", "code": 402}}, 402),
        wrong_key(),
        model_not_found(),
        context_too_long(),
        Body({"error": {"message": "odd", "type": "invalid_request_error"}}, 400),
        web_page(200),
    ],
)
async def test_what_does_not_pass_is_asked_once(
    server: Upstream, steady: SteadyProvider, time: FakeTime, failure: Body
) -> None:
    server.queue(failure, spoken("Never said."))

    seen, error = await asked(steady)

    assert error is not None
    assert error.trouble in (Trouble.ELSEWHERE, Trouble.REQUEST)
    assert (seen, time.slept, len(server.requests)) == ([], [], 1)


async def test_a_server_may_forbid_to_ask_again(server: Upstream, steady: SteadyProvider) -> None:
    broken = server_error()
    server.queue(Body(broken.content, 500, {"x-should-retry": "false"}), spoken("Never said."))

    _, error = await asked(steady)

    assert error is not None
    assert len(server.requests) == 1


async def test_a_server_may_ask_to_be_asked_again(server: Upstream, steady: SteadyProvider) -> None:
    odd = {"error": {"message": "odd", "type": "invalid_request_error"}}
    server.queue(Body(odd, 400, {"x-should-retry": "true"}), spoken("There."))

    seen, error = await asked(steady)

    assert (text(seen), error, len(server.requests)) == ("There.", None, 2)


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET, Ending.ERROR, Ending.BROKEN_JSON])
async def test_nothing_is_asked_again_once_something_was_seen(
    server: Upstream, steady: SteadyProvider, time: FakeTime, ending: Ending
) -> None:
    server.queue(Answer(["Half"], ending=ending), spoken("Twice."))

    seen, error = await asked(steady)

    assert error is not None
    assert (text(seen), len(server.requests), time.slept) == ("Half", 1, [])


@pytest.mark.parametrize(
    "shown", [TextDelta("Half"), RefusalDelta("No"), CallStart(0, "call_1", "f")]
)
async def test_whatever_can_be_seen_ends_the_trying(time: FakeTime, shown: Line) -> None:
    provider, steady = scripted(time, [shown, BROKEN], ["again", STOP])

    seen, error = await asked(steady)

    assert (seen, error, len(provider.requests)) == ([shown], BROKEN, 1)


async def test_an_early_end_after_something_was_seen_is_left_to_the_run(time: FakeTime) -> None:
    provider, steady = scripted(time, ["Half"], ["again", STOP])

    seen, error = await asked(steady)

    assert (seen, error, len(provider.requests)) == ([TextDelta("Half")], None, 1)


async def test_what_cannot_be_seen_is_not_there_twice(time: FakeTime) -> None:
    hidden: list[Line] = [MessageStart(), "\n", Usage(3, 1), Remember({"a": 1}, "s")]
    _, steady = scripted(
        time,
        [ReasoningDelta("hm"), *hidden, BROKEN],
        [ReasoningDelta("so"), *hidden, "There.", Usage(3, 2), STOP],
    )

    seen, error = await asked(steady)

    assert error is None
    assert [delta for delta in seen if not isinstance(delta, Noticed)] == [
        ReasoningDelta("so"),
        *(MessageStart(), TextDelta("\n"), Usage(3, 1), Remember({"a": 1}, "s")),
        *(TextDelta("There."), Usage(3, 2), STOP),
    ]


async def test_an_answer_that_ends_properly_without_a_word_is_one(time: FakeTime) -> None:
    empty: list[Line] = [Usage(3, 0), Finish(FinishReason.CONTENT_FILTER)]
    _, steady = scripted(time, empty)

    assert await asked(steady) == (empty, None)


async def test_what_fails_after_the_end_is_not_tried_again(time: FakeTime) -> None:
    provider, steady = scripted(time, [STOP, BROKEN], ["again", STOP])

    assert await asked(steady) == ([STOP], BROKEN)
    assert len(provider.requests) == 1


async def test_the_only_server_is_tried_again_though_nobody_listens(time: FakeTime) -> None:
    down = Unreachable("Down.")
    provider, steady = scripted(time, *times(3, down), ["Back.", STOP])

    seen, error = await asked(steady)

    assert (text(seen), error, len(provider.requests)) == ("Back.", None, 4)


async def test_closing_the_stream_closes_the_one_below(time: FakeTime) -> None:
    provider, steady = scripted(time, ["one", "two", STOP])
    stream = steady.stream(REQUEST)
    await anext(stream)

    await stream.aclose()

    assert provider.closed == 1


async def test_closing_the_stream_in_a_wait_ends_it(time: FakeTime) -> None:
    provider, steady = scripted(time, [UpstreamError("Busy.", retry_after=5.0)], ["never", STOP])
    stream = steady.stream(REQUEST)
    waiting = await anext(stream)

    await stream.aclose()

    assert isinstance(waiting, Noticed)
    assert (time.slept, len(provider.requests)) == ([], 1)


async def test_others_wait_too_when_one_was_told_to(time: FakeTime) -> None:
    shared = time.steadiness()
    busy = UpstreamError("Busy.", RunErrorCode.RATE_LIMIT_EXCEEDED, retry_after=8.0)
    first, second = ScriptedProvider([busy]), ScriptedProvider(["There.", STOP])
    one = SteadyProvider([candidate(first, "asked")], shared)
    other = SteadyProvider([candidate(second, "asked")], shared)
    stream = one.stream(REQUEST)
    await anext(stream)  # the notice: it waits now
    await stream.aclose()

    seen, error = await asked(other)

    assert (text(seen), error, time.slept) == ("There.", None, [8.5])
    assert notices(seen)[0].details["reason"] == "The model server has asked for a pause."


async def test_a_rest_is_not_asked_of_those_at_other_servers(time: FakeTime) -> None:
    shared = time.steadiness()
    shared.breaker.rest("http://one/v1", 8.0)
    provider = ScriptedProvider(["There.", STOP])
    steady = SteadyProvider([candidate(provider, "asked", "http://two/v1")], shared)

    await asked(steady)

    assert time.slept == []


async def test_every_try_takes_a_place_and_waits_for_it(time: FakeTime) -> None:
    pacer = FixedPacer([0.4, 90.0])
    provider = ScriptedProvider([BROKEN], ["There.", STOP])
    steady = SteadyProvider([candidate(provider, "asked")], time.steadiness(pacer=pacer))

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert time.slept == [0.4, 0.5, 90.0]
    assert [server for server, _ in pacer.reserved] == ["http://one/v1"] * 2
    assert [known.details["seconds"] for known in notices(seen)] == ["90"]


async def test_waiting_for_a_place_never_fails_a_run(time: FakeTime) -> None:
    pacer = FixedPacer([300.0, 300.0, 300.0])
    provider = ScriptedProvider([BROKEN], [BROKEN], ["There.", STOP])
    steady = SteadyProvider([candidate(provider, "asked")], time.steadiness(pacer=pacer))

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert sum(time.slept) == 901.5


async def test_who_waits_for_the_pace_rests_as_well_once_others_are_told_to(
    time: FakeTime,
) -> None:
    pacer = FixedPacer([5.0])
    provider = ScriptedProvider(["Hello.", STOP])
    shared = time.steadiness(pacer=pacer, chance=0.0)

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if seconds == 5.0:
            shared.breaker.rest("http://one/v1", 20.0)

    shared.sleep = sleep
    seen, _ = await asked(SteadyProvider([candidate(provider, "asked")], shared))

    assert text(seen) == "Hello."
    assert time.slept == [5.0, 20.0]
    assert len(pacer.reserved) == 2  # its turn was over by then
