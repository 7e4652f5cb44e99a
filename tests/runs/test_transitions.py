"""The state machine."""

import itertools

import pytest

from streamlit_assistant.records import RunStatus
from streamlit_assistant.runs.transitions import LEGAL, TERMINAL, IllegalTransition, advance
from tests.factories import make_run


def test_every_status_has_its_row_in_the_table() -> None:
    assert set(LEGAL) == set(RunStatus)


def test_the_ends_are_those_of_the_protocol() -> None:
    assert {s.value for s in TERMINAL} == {
        "cancelled",
        "completed",
        "expired",
        "failed",
        "incomplete",
    }


def test_every_status_can_reach_an_end() -> None:
    def reachable(status: RunStatus, seen: frozenset[RunStatus]) -> set[RunStatus]:
        following = LEGAL[status] - seen
        return set(following).union(*(reachable(s, seen | following) for s in following))

    for status in set(RunStatus) - TERMINAL:
        assert reachable(status, frozenset({status})) & TERMINAL, status


@pytest.mark.parametrize(
    ("current", "following"),
    [(a, b) for a, b in itertools.product(RunStatus, RunStatus) if b not in LEGAL[a]],
)
def test_an_illegal_move_is_refused(current: RunStatus, following: RunStatus) -> None:
    with pytest.raises(IllegalTransition):
        advance(make_run("thread_1", status=current), following, 5)


def test_a_run_that_starts_again_keeps_its_first_start() -> None:
    run = make_run("thread_1", started_at=3)

    assert advance(run, RunStatus.IN_PROGRESS, 9).started_at == 3


@pytest.mark.parametrize(
    ("status", "field"),
    [
        (RunStatus.COMPLETED, "completed_at"),
        (RunStatus.FAILED, "failed_at"),
        (RunStatus.CANCELLED, "cancelled_at"),
    ],
)
def test_an_end_is_dated_and_no_longer_expires(status: RunStatus, field: str) -> None:
    ended = advance(make_run("thread_1", status=RunStatus.IN_PROGRESS), status, 7)

    assert getattr(ended, field) == 7
    assert ended.expires_at is None
