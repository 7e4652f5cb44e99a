"""Answers that are kept: found under their key until their time is over."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import func, select

from streamlit_assistant.store import Store
from streamlit_assistant.store.upstream_tables import cached_answers
from tests.conftest import FakeClock, opened_store

pytestmark = pytest.mark.both_databases

KEY, OTHER_KEY = "a" * 64, "b" * 64
DELTAS = [{"kind": "TextDelta", "text": "né\n\u0000 你好"}, {"kind": "Finish", "reason": "stop"}]


@pytest.fixture
async def stores(database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Store, Store]]:
    async with opened_store(database_url, clock) as one, opened_store(database_url, clock) as other:
        yield one, other


async def kept(store: Store) -> int:
    query = select(func.count()).select_from(cached_answers)
    async with store._database.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_an_answer_is_found_by_every_process(stores: Sequence[Store]) -> None:
    await stores[0].answer_cache.put(KEY, DELTAS, 60)

    assert await stores[1].answer_cache.get(KEY) == DELTAS
    assert await stores[1].answer_cache.get(OTHER_KEY) is None


async def test_an_answer_is_not_found_once_its_time_is_over(store: Store, clock: FakeClock) -> None:
    await store.answer_cache.put(KEY, DELTAS, 60)
    clock.now += 59
    before = await store.answer_cache.get(KEY)
    clock.now += 1

    assert before == DELTAS
    assert await store.answer_cache.get(KEY) is None


async def test_the_newest_answer_counts_and_its_time_begins_anew(
    store: Store, clock: FakeClock
) -> None:
    await store.answer_cache.put(KEY, DELTAS, 60)
    clock.now += 50
    await store.answer_cache.put(KEY, DELTAS[1:], 60)
    clock.now += 50

    assert await store.answer_cache.get(KEY) == DELTAS[1:]
    assert await kept(store) == 1


async def test_the_same_answer_kept_twice_at_once_is_kept_once(stores: Sequence[Store]) -> None:
    await asyncio.gather(
        *(stores[n % 2].answer_cache.put(KEY, DELTAS, 60) for n in range(10)),
    )

    assert await stores[0].answer_cache.get(KEY) == DELTAS
    assert await kept(stores[0]) == 1


async def test_only_the_expired_are_forgotten(store: Store, clock: FakeClock) -> None:
    await store.answer_cache.put(KEY, DELTAS, 60)
    await store.answer_cache.put(OTHER_KEY, DELTAS, 61)
    clock.now += 60

    await store.answer_cache.forget_expired()

    assert await kept(store) == 1
    assert await store.answer_cache.get(OTHER_KEY) == DELTAS
