import pytest

from streamlit_assistant.providers.breaker import Breaker
from tests.providers.steady import FakeTime


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def breaker(time: FakeTime) -> Breaker:
    return Breaker(time.clock)


def fail(breaker: Breaker, count: int, server: str = "a") -> None:
    for _ in range(count):
        breaker.failed(server)


def test_it_opens_after_three_failures_and_closes_after_half_a_minute(
    breaker: Breaker, time: FakeTime
) -> None:
    fail(breaker, 2)
    before = breaker.is_open("a")
    fail(breaker, 1)
    open_ = breaker.is_open("a")
    time.now += 29.9
    still = breaker.is_open("a")
    time.now += 0.1

    assert (before, open_, still, breaker.is_open("a")) == (False, True, True, False)


def test_one_more_failure_opens_it_again(breaker: Breaker, time: FakeTime) -> None:
    fail(breaker, 3)
    time.now += 30
    fail(breaker, 1)

    assert breaker.is_open("a")


def test_an_answer_closes_it_and_makes_it_forget(breaker: Breaker) -> None:
    fail(breaker, 3)
    breaker.reached("a")
    closed = not breaker.is_open("a")
    fail(breaker, 2)

    assert closed
    assert not breaker.is_open("a")


def test_servers_have_nothing_to_do_with_each_other(breaker: Breaker) -> None:
    fail(breaker, 3)
    breaker.rest("a", 5.0)

    assert not breaker.is_open("b")
    assert breaker.rest_left("b") == 0.0


def test_a_rest_lasts_as_long_as_the_longest_that_was_asked_for(
    breaker: Breaker, time: FakeTime
) -> None:
    breaker.rest("a", 5.0)
    breaker.rest("a", 2.0)
    time.now += 1

    assert breaker.rest_left("a") == 4.0
    time.now += 10
    assert breaker.rest_left("a") == 0.0


def test_nobody_is_made_to_rest_for_longer_than_a_minute(breaker: Breaker) -> None:
    breaker.rest("a", 61.0)

    assert breaker.rest_left("a") == 0.0
