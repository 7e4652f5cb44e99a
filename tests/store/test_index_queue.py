"""Files that wait to be indexed: one process takes each, and only that one writes its chunks."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import text

from streamlit_assistant.file_records import IndexStatus, NewChunk, WaitingFile
from streamlit_assistant.process_identity import this_process
from streamlit_assistant.store import Store
from tests.conftest import FakeClock, opened_store
from tests.factories import OWNER
from tests.file_factories import add_vector_store, make_store_file, static

pytestmark = pytest.mark.both_databases

CHUNKS = [NewChunk("one", "one"), NewChunk("two", "two")]


@pytest.fixture
async def stores(database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Store, Store]]:
    async with opened_store(database_url, clock) as one, opened_store(database_url, clock) as other:
        for name in ("one", "other"):
            await one.executors.register(name, "all", this_process(), 60)
        yield one, other


async def take(store: Store, name: str) -> WaitingFile:
    waiting = await store.index_queue.claim(name, "", [])
    assert waiting is not None
    return waiting


async def chunks_of(store: Store) -> list[str]:
    async with store._database.read() as connection:
        return list(await connection.scalars(text("SELECT text FROM chunks ORDER BY seq")))


async def test_two_processes_never_take_the_same_file(stores: Sequence[Store]) -> None:
    _, ids = await add_vector_store(stores[0], 20)
    claims = [
        store.index_queue.claim(name, "", [])
        for store, name in zip(stores, ("one", "other"), strict=True)
    ]

    # Each its first at once, then one after the other what is left.
    taken = list(await asyncio.gather(*claims))
    for number in range(20):
        mine = [waiting.file.seq for waiting in taken if waiting is not None]
        name = ("one", "other")[number % 2]
        taken.append(await stores[number % 2].index_queue.claim(name, "", mine))

    found = [waiting.file.id for waiting in taken if waiting is not None]
    assert sorted(found) == sorted(ids)


async def test_what_a_living_process_has_taken_is_left_to_it(stores: Sequence[Store]) -> None:
    await add_vector_store(stores[0], 1)
    taken = await take(stores[0], "one")

    assert await stores[1].index_queue.claim("other", "", []) is None
    assert await take(stores[0], "one") == taken  # it may try again what went wrong


async def test_what_a_buried_process_had_taken_is_anothers(stores: Sequence[Store]) -> None:
    one, other = stores
    await add_vector_store(one, 1)
    lost = await take(one, "one")
    await one.executors.bury(["one"])

    taken = await take(other, "other")

    assert taken.file.seq == lost.file.seq
    assert (await one.index_queue.wants(lost), await other.index_queue.wants(taken)) == (
        False,
        True,
    )


async def test_whoever_lost_a_file_writes_nothing_any_more(stores: Sequence[Store]) -> None:
    one, other = stores
    store_id, _ = await add_vector_store(one, 1)
    lost = await take(one, "one")
    await one.executors.bury(["one"])
    taken = await take(other, "other")
    await other.chunks.replace(taken, CHUNKS)

    await one.chunks.replace(lost, [NewChunk("late", "late")])
    await one.index_queue.fail(lost, "server_error", "late")
    assert not await one.index_queue.complete(lost, 1)
    await one.index_queue.clear(lost)

    assert await other.index_queue.complete(taken, 7)
    found = await one.vector_stores.get(OWNER, store_id)
    assert (found.completed, found.failed, found.usage_bytes) == (1, 0, 7)
    assert await chunks_of(one) == ["one", "two"]


@pytest.mark.parametrize("ends", ["complete", "fail"])
async def test_what_is_done_belongs_to_nobody(stores: Sequence[Store], ends: str) -> None:
    one, other = stores
    store_id, (file_id,) = await add_vector_store(one, 1)
    taken = await take(one, "one")
    if ends == "complete":
        await one.index_queue.complete(taken, 1)
    else:
        await one.index_queue.fail(taken, "server_error", "no luck")

    again = make_store_file(file_id, store_id, chunking_strategy=static(100, 0))
    await one.vector_store_files.add(OWNER, again)

    assert (await take(other, "other")).file.id == file_id


async def test_a_file_that_is_to_be_cut_anew_is_taken_from_whoever_cuts_it(
    stores: Sequence[Store],
) -> None:
    one, other = stores
    store_id, (file_id,) = await add_vector_store(one, 1)
    old = await take(one, "one")
    again = make_store_file(file_id, store_id, chunking_strategy=static(100, 0))
    await other.vector_store_files.add(OWNER, again)

    new = await take(other, "other")

    assert new.file.chunking_strategy == static(100, 0)
    assert not await one.index_queue.wants(old)
    assert await other.index_queue.complete(new, 1)
    assert (await one.vector_store_files.get(store_id, file_id)).status is IndexStatus.COMPLETED


async def test_how_often_a_file_was_indexed_is_counted(stores: Sequence[Store]) -> None:
    one, other = stores
    store_id, (file_id,) = await add_vector_store(one, 1)
    revisions = [await other.chunk_index.revisions(store_id)]
    for size in (100, 200):
        again = make_store_file(file_id, store_id, chunking_strategy=static(size, 0))
        await one.vector_store_files.add(OWNER, again)
        taken = await take(one, "one")
        await one.index_queue.complete(taken, 1)
        revisions.append(await other.chunk_index.revisions(store_id))

    assert revisions == [{}, {taken.file.seq: 1}, {taken.file.seq: 2}]
