"""Containers of model servers: one a thread, gone with it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import select

from streamlit_assistant.store import Store
from streamlit_assistant.store.upstream_containers import UpstreamContainer
from streamlit_assistant.store.upstream_tables import upstream_containers
from tests.conftest import FakeClock, opened_store
from tests.factories import OWNER, make_thread

pytestmark = pytest.mark.both_databases

SERVER = "https://models.example/v1"


@pytest.fixture
async def stores(database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Store, Store]]:
    async with opened_store(database_url, clock) as one, opened_store(database_url, clock) as other:
        yield one, other


async def rows(store: Store) -> int:
    async with store._database.read() as connection:
        return len((await connection.execute(select(upstream_containers))).all())


async def test_a_threads_container_is_remembered(store: Store, clock: FakeClock) -> None:
    thread, other = [await store.threads.add(make_thread()) for _ in range(2)]

    await store.upstream_containers.put(thread.id, SERVER, "cntr_1", {"file-1": "cfile_1"})

    assert await store.upstream_containers.get(thread.id, SERVER) == UpstreamContainer(
        thread.id, SERVER, "cntr_1", {"file-1": "cfile_1"}, int(clock.now)
    )
    assert await store.upstream_containers.get(other.id, SERVER) is None


async def test_another_server_does_not_know_the_container(store: Store) -> None:
    thread = await store.threads.add(make_thread())
    await store.upstream_containers.put(thread.id, SERVER, "cntr_1", {})

    assert await store.upstream_containers.get(thread.id, "https://other.example/v1") is None


async def test_the_newest_container_takes_the_place_of_the_one_before(
    store: Store, clock: FakeClock
) -> None:
    thread = await store.threads.add(make_thread())
    await store.upstream_containers.put(thread.id, SERVER, "cntr_1", {"file-1": "cfile_1"})
    clock.now += 5
    await store.upstream_containers.put(thread.id, "other", "cntr_2", {})

    assert await store.upstream_containers.get(thread.id, SERVER) is None
    assert await store.upstream_containers.get(thread.id, "other") == UpstreamContainer(
        thread.id, "other", "cntr_2", {}, int(clock.now)
    )


async def test_two_processes_leave_one_container(stores: Sequence[Store]) -> None:
    thread = await stores[0].threads.add(make_thread())
    puts = [store.upstream_containers.put(thread.id, SERVER, "c", {}) for store in [*stores] * 5]

    await asyncio.gather(*puts)

    assert await rows(stores[0]) == 1


async def test_a_forgotten_container_is_gone(store: Store) -> None:
    thread = await store.threads.add(make_thread())
    await store.upstream_containers.put(thread.id, SERVER, "cntr_1", {})

    await store.upstream_containers.forget(thread.id)

    assert await store.upstream_containers.get(thread.id, SERVER) is None


async def test_a_container_goes_with_its_thread(store: Store) -> None:
    thread = await store.threads.add(make_thread())
    await store.upstream_containers.put(thread.id, SERVER, "cntr_1", {})

    await store.threads.delete(OWNER, thread.id)
    await store.upstream_containers.put(thread.id, SERVER, "cntr_2", {})

    assert await rows(store) == 0
