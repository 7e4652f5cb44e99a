"""The limits of model servers: shared by processes, by one clock, through every mishap."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import select

from streamlit_assistant.store import Store
from streamlit_assistant.store.upstream_rates import USED
from streamlit_assistant.store.upstream_tables import upstream_rates
from tests.conftest import FakeClock, opened_store

pytestmark = pytest.mark.both_databases

SERVER = "https://models.example/v1"
SPACING = 1 / USED  # seconds between requests of which 60 a minute are allowed
LATE = 0.4  # seconds that a busy machine may take for a reservation


@pytest.fixture
async def stores(database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Store, Store]]:
    async with opened_store(database_url, clock) as one, opened_store(database_url, clock) as other:
        yield one, other


async def booked_until(store: Store) -> float:
    """When the server's limit of requests is free again, by the database's clock."""
    query = select(upstream_rates.c.requests_at).where(upstream_rates.c.server == SERVER)
    async with store._database.read() as connection:
        return float((await connection.execute(query)).scalar_one())


async def reserve(store: Store, tokens: int = 0, **limits: int | None) -> float:
    limits = {"requests_per_minute": 60, "tokens_per_minute": None, **limits}
    return await store.upstream_rates.reserve(SERVER, tokens, **limits)


async def test_reservations_of_two_processes_are_spaced_as_the_limit_asks(
    stores: Sequence[Store],
) -> None:
    first = await reserve(stores[0])
    began = await booked_until(stores[0]) - SPACING
    elapsed = time.monotonic()

    async def slot(store: Store) -> float:
        return await reserve(store) + (
            time.monotonic() - elapsed if store._database.is_shared else 0.0
        )

    slots = sorted(await asyncio.gather(*(slot(stores[n % 2]) for n in range(20))))

    assert first == 0.0
    assert slots == pytest.approx([SPACING * n for n in range(1, 21)], abs=LATE)
    assert await booked_until(stores[1]) - began == pytest.approx(21 * SPACING, abs=0.001)


async def test_the_first_reservations_of_two_processes_do_not_collide(
    stores: Sequence[Store],
) -> None:
    waits = sorted(await asyncio.gather(*(reserve(store) for store in stores)))

    assert waits == pytest.approx([0.0, SPACING], abs=LATE)


async def test_a_few_go_at_once(store: Store) -> None:
    waits = [await reserve(store, requests_per_minute=600) for _ in range(6)]

    assert waits[:4] == [0.0] * 4
    assert waits[5] > 0.0


async def test_servers_do_not_wait_for_each_other(store: Store) -> None:
    for server in ("one", "other"):
        assert await store.upstream_rates.reserve(server, 0, 1, None) == 0.0


async def test_tokens_are_limited_by_the_minute(store: Store) -> None:
    limits = {"requests_per_minute": None, "tokens_per_minute": 6000}
    waits = [await reserve(store, tokens, **limits) for tokens in (2500, 2500, 2500, 90_000)]

    each = 2500 / 6000 / USED * 60
    assert waits == pytest.approx([0.0, 0.0, 2 * each, 3 * each], abs=LATE)


async def test_both_limits_hold(store: Store) -> None:
    limits = {"requests_per_minute": 60, "tokens_per_minute": 6000}
    waits = [await reserve(store, tokens, **limits) for tokens in (3000, 1000, 3000)]

    assert waits == pytest.approx([0.0, SPACING, 4000 / 6000 / USED * 60], abs=LATE)


async def test_without_limits_nothing_is_stored(store: Store) -> None:
    waits = [await reserve(store, 10**9, requests_per_minute=None) for _ in range(3)]

    async with store._database.read() as connection:
        rows = (await connection.execute(select(upstream_rates))).all()
    assert (waits, rows) == ([0.0] * 3, [])


async def test_a_clock_that_was_put_back_keeps_nobody_waiting(
    sqlite_store: Store, clock: FakeClock
) -> None:
    await reserve(sqlite_store)
    clock.now -= 3600

    assert await reserve(sqlite_store) == pytest.approx(SPACING)


async def test_time_that_passes_is_time_waited(sqlite_store: Store, clock: FakeClock) -> None:
    await reserve(sqlite_store)
    clock.now += 0.4
    waited = await reserve(sqlite_store)
    clock.now += 10

    assert waited == pytest.approx(SPACING - 0.4)
    assert await reserve(sqlite_store) == 0.0
