"""Bookings of a limit: nothing is sent too early, nothing waits for nothing."""

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlit_assistant.store.rate_booking import Booked, Limit, book

NOISE = 1e-6  # of floating point
TEN_A_SECOND = Limit(10.0, 10.0)
SIX_THOUSAND_A_MINUTE = Limit(100.0, 6000.0)

PAUSES = st.lists(
    st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 3), st.floats(0, 100)), max_size=60
)
ASKED = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 100)),
        st.one_of(st.integers(1, 100), st.integers(1, 9000)),
    ),
    max_size=40,
)


def slots(
    limits: Sequence[Limit | None], asked: Sequence[tuple[float, float]], began: float = 1000.0
) -> list[float]:
    """When each request is sent: `asked` are the pause before it and its tokens."""
    booked, given_times, now = [Booked(), Booked()], [], began
    for pause, tokens in asked:
        now += pause
        slot, booked = book(limits, (1.0, tokens), booked, now)
        given_times.append(slot)
    return given_times


def fullest(times: Sequence[float], amounts: Sequence[float], seconds: float) -> float:
    """The most that is sent within so many seconds, whenever they begin."""
    sums = [0.0, *accumulate(amounts)]
    most, first = 0.0, 0
    for last, time in enumerate(times):
        while times[first] <= time - seconds + NOISE:
            first += 1
        most = max(most, sums[last + 1] - sums[first])
    return most


@given(PAUSES)
def test_no_second_and_no_minute_holds_more_than_its_share(pauses: list[float]) -> None:
    times = slots((TEN_A_SECOND, None), [(pause, 1) for pause in pauses])
    ones = [1.0] * len(times)

    assert fullest(times, ones, 1.0) <= 10
    assert fullest(times, ones, 60.0) <= 600


@given(ASKED)
def test_no_minute_holds_more_tokens_than_its_share_and_one_request(
    asked: list[tuple[float, int]],
) -> None:
    times = slots((None, SIX_THOUSAND_A_MINUTE), asked)
    amounts = [float(tokens) for _, tokens in asked]

    assert fullest(times, amounts, 60.0) <= 6000 + max(amounts, default=0) + NOISE


@given(ASKED)
def test_nobody_overtakes_and_nobody_is_sent_before_they_ask(
    asked: list[tuple[float, int]],
) -> None:
    times = slots((TEN_A_SECOND, SIX_THOUSAND_A_MINUTE), asked)
    arrivals = [*accumulate((pause for pause, _ in asked), initial=1000.0)][1:]

    assert times == sorted(times)
    assert all(time >= arrival for time, arrival in zip(times, arrivals, strict=True))


@given(PAUSES)
def test_all_of_a_limit_is_made_use_of(pauses: list[float]) -> None:
    times = slots((TEN_A_SECOND, None), [(0.0, 1)] * 5 + [(pause / 50, 1) for pause in pauses])

    # A queue that never empties takes a tenth of a second for each.
    assert times[-1] <= 1000.0 + max(sum(pauses) / 50 + 1.0, len(times) / 10) + NOISE


def test_a_site_at_rest_sends_a_seconds_worth_at_once_and_makes_up_for_it() -> None:
    times = slots((TEN_A_SECOND, None), [(0.0, 1)] * 13)

    assert times[:10] == [1000.0] * 10
    assert times[10:] == pytest.approx([1001.0, 1001.1, 1001.2])


def test_a_short_pause_allows_a_small_burst() -> None:
    busy = [(0.0, 1)] * 10
    times = slots((TEN_A_SECOND, None), [*busy, (1.35, 1), *[(0.0, 1)] * 4])

    # 0.35 s unused: three more than the one that is due.
    assert times[10:] == pytest.approx([1001.35] * 4 + [1001.75])


def test_a_limit_below_one_a_second_allows_no_burst() -> None:
    times = slots((Limit(0.5, 1.0), None), [(0.0, 1)] * 3)

    assert times == pytest.approx([1000.0, 1002.0, 1004.0])


def test_a_request_larger_than_the_limit_waits_for_its_turn_only() -> None:
    times = slots((None, SIX_THOUSAND_A_MINUTE), [(0.0, 3000), (0.0, 20_000), (0.0, 1)])

    assert times == pytest.approx([1000.0, 1030.0, 1230.0])


def test_the_first_request_never_waits_however_large_it_is() -> None:
    assert slots((TEN_A_SECOND, SIX_THOUSAND_A_MINUTE), [(0.0, 1_000_000)]) == [1000.0]


def test_both_limits_are_kept() -> None:
    # Tokens for two at once, requests for ten: the third waits for tokens.
    times = slots((TEN_A_SECOND, SIX_THOUSAND_A_MINUTE), [(0.0, 3000)] * 4)

    assert times == pytest.approx([1000.0, 1000.0, 1060.0, 1090.0])


def test_a_limit_that_was_lowered_counts_at_once() -> None:
    low, now = (Limit(0.5, 1.0),), 1000.0
    _, booked = book((TEN_A_SECOND,), (1.0,), (Booked(),), now)

    times = []
    for _ in range(3):
        slot, booked = book(low, (1.0,), booked, now)
        times.append(slot)

    # One of what the old limit had to spare, then as the new one says.
    assert times == pytest.approx([1000.0, 1002.1, 1004.1])
