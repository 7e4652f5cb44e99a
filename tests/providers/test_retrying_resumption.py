"""Answers with which their server goes on when the connection breaks."""

from dataclasses import replace

import httpx2
import pytest

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.base import Begun
from streamlit_assistant.providers.retrying import SteadyProvider
from tests.providers.steady import REQUEST, FakeTime, asked, candidate, text, times
from tests.scripted_provider import STOP, Line, ScriptedProvider

GONE = UpstreamError("No such answer.", trouble=Trouble.ELSEWHERE)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def two(
    time: FakeTime, *scripts: list[list[Line]]
) -> tuple[list[ScriptedProvider], SteadyProvider]:
    """Two models, each with its scripts."""
    providers = [ScriptedProvider(*lines) for lines in scripts]
    places = zip(providers, ("asked", "other"), ("http://one/v1", "http://two/v1"), strict=False)
    return providers, SteadyProvider([candidate(*place) for place in places], time.steadiness())


def torn() -> UpstreamError:
    """A connection that broke, as adapters tell it."""
    error = UpstreamError("It broke.")
    error.__cause__ = httpx2.ReadError("x")
    return error


async def test_an_answer_that_goes_on_elsewhere_carries_its_server(time: FakeTime) -> None:
    providers, steady = two(time, [[GONE]], [[Begun("resp_1"), "There.", STOP]])

    seen, _ = await asked(steady)
    await steady.cancel("http://two/v1|resp_1")
    await steady.cancel("http://nowhere/v1|resp_1")
    await steady.cancel("resp_1")

    assert Begun("http://two/v1|resp_1") in seen
    assert [provider.cancelled for provider in providers] == [[], ["resp_1"]]


async def test_an_answer_is_read_to_its_end_where_it_was_begun(time: FakeTime) -> None:
    providers, steady = two(time, [], [[torn()], ["There.", STOP]])
    request = replace(REQUEST, resume="http://two/v1|resp_1")

    seen, error = await asked(steady, request)

    assert (text(seen), error) == ("There.", None)
    assert providers[0].requests == []
    assert [known.resume for known in providers[1].requests] == ["resp_1", "resp_1"]


async def test_an_answer_that_is_gone_is_not_asked_for_anew(time: FakeTime) -> None:
    providers, steady = two(time, [[GONE]], [["never", STOP]])

    _, error = await asked(steady, replace(REQUEST, resume="http://one/v1|resp_1"))
    _, unknown = await asked(steady, replace(REQUEST, resume="http://nowhere/v1|resp_1"))

    assert error is GONE
    assert unknown is not None
    assert "is not known here" in unknown.message
    assert providers[1].requests == []


async def test_an_answer_whose_connection_broke_is_picked_up_and_not_paid_twice(
    time: FakeTime,
) -> None:
    providers, steady = two(time, [[Begun("resp_1"), torn()], [Begun("resp_1")], ["There.", STOP]])

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert [known.resume for known in providers[0].requests] == [None, "resp_1", "resp_1"]
    assert providers[0].cancelled == []


async def test_an_answer_that_cannot_be_picked_up_is_ended_and_asked_for_anew(
    time: FakeTime,
) -> None:
    too_old = UpstreamError("Too old.", trouble=Trouble.REQUEST)
    providers, steady = two(time, [[Begun("resp_1"), torn()], [too_old], ["There.", STOP]])

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert [known.resume for known in providers[0].requests] == [None, "resp_1", None]
    assert providers[0].cancelled == ["resp_1"]


async def test_an_answer_that_failed_at_its_server_is_asked_for_anew(time: FakeTime) -> None:
    said = UpstreamError("The server had an error.")
    providers, steady = two(time, [[Begun("resp_1"), said], ["There.", STOP]])

    await asked(steady)

    assert [known.resume for known in providers[0].requests] == [None, None]


async def test_an_answer_is_ended_before_another_model_is_asked(time: FakeTime) -> None:
    scripts: list[list[Line]] = [[Begun("resp_1"), torn()], *times(3, torn())]
    providers, steady = two(time, scripts, [["There.", STOP]])

    seen, error = await asked(steady)

    assert (text(seen), error) == ("There.", None)
    assert providers[0].cancelled == ["resp_1"]
