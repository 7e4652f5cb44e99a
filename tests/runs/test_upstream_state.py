"""What processes share about model servers, with the database and without it."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from streamlit_assistant.runs.upstream_state import (
    RateLimits,
    SharedAnswers,
    SharedPacer,
    SharedReports,
)
from streamlit_assistant.store import Store
from tests.conftest import FakeClock

KEY, DELTAS = "a" * 64, [{"delta": "TextDelta", "text": "Hello"}]
AWAY = [
    OperationalError("", {}, OSError("gone")),
    InterfaceError("", {}, OSError("gone")),
    PoolTimeout("busy"),
]


class FakeTable:
    """A table of a database that cannot be used."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def reserve(self, *_: object) -> float:
        raise self.error

    async def get(self, _key: str) -> Any:
        raise self.error

    async def put(self, *_: object) -> None:
        raise self.error


async def test_requests_are_spaced_by_the_limits_as_they_are_now(
    store: Store, clock: FakeClock
) -> None:
    limits = RateLimits(requests_per_minute=60)
    pacer = SharedPacer(store.upstream_rates, lambda: limits)
    waits = [await pacer.reserve("server", 10) for _ in range(2)]
    limits = RateLimits()
    unlimited = await pacer.reserve("server", 10)
    limits = RateLimits(tokens_per_minute=10)
    waits_for_tokens = [await pacer.reserve("server", 10) for _ in range(2)]

    assert waits[0] == unlimited == waits_for_tokens[0] == 0.0
    assert 1.0 < waits[1] < 1.1
    assert waits_for_tokens[1] > 60


@pytest.mark.parametrize("error", AWAY)
async def test_nobody_waits_while_the_database_is_away(error: Exception) -> None:
    table: Any = FakeTable(error)

    assert await SharedPacer(table, lambda: RateLimits(1, 1)).reserve("server", 10) == 0.0
    assert await SharedAnswers(table).get(KEY) is None
    await SharedAnswers(table).put(KEY, DELTAS, 60)
    assert await SharedReports(table).get(KEY) is None
    await SharedReports(table).put(KEY, {})


async def test_our_own_mistakes_are_not_taken_for_a_database_that_is_away() -> None:
    table: Any = FakeTable(KeyError("requests_at"))

    with pytest.raises(KeyError):
        await SharedPacer(table, RateLimits).reserve("server", 10)


async def test_answers_are_kept_in_the_database(store: Store) -> None:
    answers = SharedAnswers(store.answer_cache)
    await answers.put(KEY, DELTAS, 60)
    found: Sequence[Any] | None = await SharedAnswers(store.answer_cache).get(KEY)

    assert found == DELTAS


async def test_reports_are_kept_in_the_database(store: Store) -> None:
    await SharedReports(store.model_reports).put(KEY, {"report": {}})

    assert await SharedReports(store.model_reports).get(KEY) == {"report": {}}
