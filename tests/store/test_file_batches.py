"""Batches of files: their counts, cancelling them, and the counters under every sequence."""

import random
from collections import Counter

import pytest
from sqlalchemy import select

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import IndexStatus, VectorStoreFile
from streamlit_assistant.records import PageQuery
from streamlit_assistant.store import Store
from streamlit_assistant.store.file_tables import vector_store_files
from tests.factories import OWNER
from tests.file_factories import (
    add_files,
    add_vector_store,
    make_batch,
    make_store_file,
    static,
)
from tests.store.test_vector_stores import add_chunks, count_chunks, index_all

pytestmark = pytest.mark.both_databases

COUNTERS = ("in_progress", "completed", "failed", "cancelled")


async def test_a_batch_counts_its_own_files_only(store: Store) -> None:
    store_id, _ = await add_vector_store(store, 2)
    ids = await add_files(store, 3)
    files = [make_store_file(file_id, store_id) for file_id in [*ids, ids[0]]]

    batch = await store.file_batches.add(OWNER, make_batch(store_id), files)
    await index_all(store)
    done = await store.file_batches.get(store_id, batch.id)
    page = await store.file_batches.page_files(done, PageQuery(2, "asc"))

    assert (batch.in_progress, done.in_progress, done.completed) == (3, 0, 3)
    assert ([file.id for file in page.items], page.has_more) == (ids[:2], True)


async def test_a_batch_is_found_only_in_its_vector_store(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    other_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1)
    batch = await store.file_batches.add(
        OWNER, make_batch(store_id), [make_store_file(file_id, store_id)]
    )

    with pytest.raises(NotFound, match=batch.id):
        await store.file_batches.get(other_id, batch.id)


async def test_cancelling_a_batch_stops_what_waits_and_keeps_what_is_done(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    ids = await add_files(store, 3)
    files = [make_store_file(file_id, store_id) for file_id in ids]
    batch = await store.file_batches.add(OWNER, make_batch(store_id), files)
    waiting = await store.index_queue.claim("me", "", [])
    assert waiting is not None
    await store.index_queue.complete(waiting, 10)

    cancelled = await store.file_batches.cancel(store_id, batch.id)
    again = await store.file_batches.cancel(store_id, batch.id)
    listed = await store.file_batches.page_files(batch, PageQuery(), IndexStatus.CANCELLED)

    assert cancelled == again
    assert cancelled.is_cancelled
    assert (cancelled.completed, cancelled.cancelled, cancelled.in_progress) == (1, 2, 0)
    assert [file.id for file in listed.items] == ids[:0:-1]


async def test_a_batch_that_is_done_is_not_cancelled(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1)
    files = [make_store_file(file_id, store_id)]
    batch = await store.file_batches.add(OWNER, make_batch(store_id), files)
    await index_all(store)

    cancelled = await store.file_batches.cancel(store_id, batch.id)

    assert (cancelled.is_cancelled, cancelled.completed) == (False, 1)


async def test_cancelling_a_batch_leaves_alone_what_another_one_wants(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    ids = await add_files(store, 2)
    shared, single = [make_store_file(file_id, store_id) for file_id in ids]
    one = await store.file_batches.add(OWNER, make_batch(store_id), [shared, single])
    other = await store.file_batches.add(OWNER, make_batch(store_id), [shared])

    cancelled = await store.file_batches.cancel(store_id, one.id)
    untouched = await store.file_batches.get(store_id, other.id)
    both = await store.file_batches.cancel(store_id, other.id)

    assert (cancelled.in_progress, cancelled.cancelled) == (1, 1)
    assert (untouched.in_progress, untouched.is_cancelled) == (1, False)
    assert (both.in_progress, both.cancelled) == (0, 1)


async def test_what_was_indexed_before_goes_when_indexing_it_anew_is_cancelled(
    store: Store,
) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    await add_chunks(store, file_id, 3)
    await index_all(store)
    files = [make_store_file(file_id, store_id, chunking_strategy=static(100, 0))]
    batch = await store.file_batches.add(OWNER, make_batch(store_id), files)

    await store.file_batches.cancel(store_id, batch.id)

    assert await count_chunks(store) == 0
    assert (await store.vector_stores.get(OWNER, store_id)).cancelled == 1


class Wanderer:
    """Does whatever can be done to two vector stores, in an order nobody thought of."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._random = random.Random(seed)
        self.stores: list[str] = []
        self._files: list[str] = []
        self._batches: list[tuple[str, str]] = []
        self._deeds = [self.add, self.add, self.add_batch, self.work, self.work, self.work]
        self._deeds += [self.cancel, self.remove, self.delete_file, self.set_attributes]

    async def prepare(self) -> None:
        self.stores = [(await add_vector_store(self._store))[0] for _ in range(2)]
        self._files = await add_files(self._store, 12)

    async def step(self) -> None:
        await self._random.choice(self._deeds)()

    async def add(self) -> None:
        (file,) = self._some_files(1)
        await self._store.vector_store_files.add(OWNER, file)

    async def add_batch(self) -> None:
        files = self._some_files(self._random.randint(1, 6))
        batch = make_batch(files[0].vector_store_id)
        await self._store.file_batches.add(OWNER, batch, files)
        self._batches.append((batch.vector_store_id, batch.id))

    async def work(self) -> None:
        waiting = await self._store.index_queue.claim(
            "me", self._random.choice(["", *self.stores]), []
        )
        if waiting is None:
            return
        if self._random.random() < 0.3:
            await self._random.choice([self.cancel, self.remove, self.delete_file, self.add])()
        if self._random.random() < 0.7:
            await self._store.index_queue.complete(waiting, self._random.randint(1, 1000))
        else:
            await self._store.index_queue.fail(waiting, "server_error", "no luck")

    async def cancel(self) -> None:
        if self._batches:
            await self._store.file_batches.cancel(*self._random.choice(self._batches))

    async def remove(self) -> None:
        store_id = self._random.choice(self.stores)
        page = await self._store.vector_store_files.page(store_id, PageQuery(100))
        if page.items:
            file_id = self._random.choice(page.items).id
            await self._store.vector_store_files.remove(store_id, file_id)

    async def delete_file(self) -> None:
        index = self._random.randrange(len(self._files))
        await self._store.vector_store_files.remove_everywhere(self._files[index])
        await self._store.files.delete(OWNER, self._files[index])
        self._files[index] = (await add_files(self._store, 1))[0]

    async def set_attributes(self) -> None:
        store_id = self._random.choice(self.stores)
        for file in (await self._store.vector_store_files.page(store_id, PageQuery(1))).items:
            await self._store.vector_store_files.set_attributes(store_id, file.id, {"n": 1})

    def _some_files(self, count: int) -> list[VectorStoreFile]:
        store_id = self._random.choice(self.stores)
        strategy = static(self._random.choice([100, 200]), 0)
        return [
            make_store_file(file_id, store_id, chunking_strategy=strategy)
            for file_id in self._random.sample(self._files, count)
        ]


async def counted(store: Store, vector_store_id: str) -> tuple[list[int], int]:
    query = select(vector_store_files.c.status, vector_store_files.c.usage_bytes).where(
        vector_store_files.c.vector_store_id == vector_store_id
    )
    async with store._database.read() as connection:
        rows = (await connection.execute(query)).all()
    of_status = Counter(row.status for row in rows)
    return [of_status[name] for name in COUNTERS], sum(row.usage_bytes for row in rows)


@pytest.mark.parametrize("seed", range(6))
async def test_the_counters_are_what_counting_finds_whatever_happens(
    store: Store, seed: int
) -> None:
    wanderer = Wanderer(store, seed)
    await wanderer.prepare()
    seen: Counter[str] = Counter()
    for _ in range(100):
        await wanderer.step()
        for store_id in wanderer.stores:
            found = await store.vector_stores.get(OWNER, store_id)
            kept = [getattr(found, name) for name in COUNTERS]
            assert (kept, found.usage_bytes) == await counted(store, store_id)
            seen.update({name: getattr(found, name) for name in COUNTERS})

    assert all(seen[name] for name in COUNTERS), "a status was never met"
