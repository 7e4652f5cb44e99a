"""What is told of the copies, to whom, and how often the database is asked for it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from streamlit_assistant.mirror.figures import FRESH_SECONDS, FigureReader
from streamlit_assistant.store.mirrors import Backlog, Mirror

NOW = 1_700_000_100.0
MIRROR = Mirror(
    seq=1,
    target="a" * 64,
    kind="redis",
    registered_at=1_700_000_000,
    threads_until=0,
    copied_until=0,
    delivered=7,
    refused=1,
    away_since=None,
    lease_owner=None,
)


class KnownMirrors:
    """Answers with what a test has put in; counts the questions."""

    def __init__(self, *backlogs: Backlog) -> None:
        self.asked = 0
        self.backlogs_now = list(backlogs)
        self.before: Callable[[], Any] = lambda: asyncio.sleep(0)

    async def backlogs(self) -> list[Backlog]:
        self.asked += 1
        await self.before()
        return self.backlogs_now


def reader(mirrors: KnownMirrors) -> FigureReader:
    return FigureReader(mirrors, lambda: NOW)  # type: ignore[arg-type]


async def test_stores_of_one_kind_are_numbered() -> None:
    kinds = ("redis", "kafka", "redis")
    mirrors = KnownMirrors(*(Backlog(replace(MIRROR, kind=kind), 0, None) for kind in kinds))

    figures = await reader(mirrors).read()

    assert [mirror.target for mirror in figures] == ["redis", "kafka", "redis-2"]
    assert (figures[0].delivered, figures[0].refused) == (7, 1)


@pytest.mark.parametrize(
    ("backlog", "lag", "state"),
    [
        (Backlog(MIRROR, 0, None), 0.0, "ok"),
        (Backlog(MIRROR, 3, 1_700_000_095), 5.0, "ok"),
        (Backlog(MIRROR, 3, 1_700_000_080), 20.0, "behind"),
        (Backlog(replace(MIRROR, away_since=1), 3, 1_700_000_095), 5.0, "away"),
        (Backlog(MIRROR, 3, 1_700_000_101), 0.0, "ok"),  # a clock that is ahead
    ],
)
async def test_the_state_follows_from_the_lag(backlog: Backlog, lag: float, state: str) -> None:
    [told] = await reader(KnownMirrors(backlog)).told(())

    assert told == {
        "target": "redis",
        "pending": backlog.pending,
        "lag_seconds": lag,
        "state": state,
    }


async def test_who_asks_at_the_same_time_gets_one_answer() -> None:
    mirrors = KnownMirrors(Backlog(MIRROR, 1, None))
    asked = reader(mirrors)

    await asyncio.gather(*(asked.read() for _ in range(50)))

    assert mirrors.asked == 1


async def test_health_tells_what_was_known_while_the_database_is_away() -> None:
    mirrors = KnownMirrors(Backlog(MIRROR, 1, None))
    asked = reader(mirrors)
    before = await asked.told((OperationalError,))
    await asyncio.sleep(FRESH_SECONDS)

    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise OperationalError("SELECT", None, Exception("away"))

    for trouble in (hang, fail):
        mirrors.before = trouble
        assert await asked.told((OperationalError,)) == before
