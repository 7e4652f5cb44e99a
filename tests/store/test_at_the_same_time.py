"""Two processes on one database, writing at the same time: everything adds up afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from streamlit_assistant.errors import AssistantError, InvalidRequest, NotFound
from streamlit_assistant.file_records import NewChunk, UploadStatus, VectorStore
from streamlit_assistant.records import Page, PageQuery
from streamlit_assistant.store import Store
from tests.conftest import FakeClock, opened_store
from tests.factories import OWNER, make_message, make_run, make_thread
from tests.file_factories import (
    NOW,
    add_files,
    add_vector_store,
    make_batch,
    make_file,
    make_store_file,
)
from tests.store.test_files import add_upload, make_part
from tests.store.test_store import announced

pytestmark = pytest.mark.both_databases

EVERYTHING = PageQuery(100, "asc")


@pytest.fixture
async def stores(database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Store, Store]]:
    async with opened_store(database_url, clock) as one, opened_store(database_url, clock) as other:
        yield one, other


async def together(*deeds: Awaitable[Any]) -> list[AssistantError]:
    """Do everything at once and return what was refused; anything else that fails is raised."""
    results = await asyncio.gather(*deeds, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, AssistantError):
            raise result
    return [result for result in results if isinstance(result, AssistantError)]


async def counted(store: Store, table: str) -> int:
    async with store._database.read() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar() or 0)


async def check_counters(store: Store, vector_store_id: str) -> VectorStore:
    """The counters of a vector store say what its files are."""
    found = await store.vector_stores.get(OWNER, vector_store_id)
    files = (await store.vector_store_files.page(vector_store_id, EVERYTHING)).items
    for status in ("in_progress", "completed", "failed", "cancelled"):
        assert getattr(found, status) == sum(file.status == status for file in files), status
    assert found.usage_bytes == sum(file.usage_bytes for file in files)
    return found


async def test_messages_of_two_processes_all_count(stores: Sequence[Store]) -> None:
    thread = await stores[0].threads.add(make_thread())
    added = [store.messages.add(make_message(thread.id)) for store in stores for _ in range(15)]

    assert await together(*added) == []

    async with stores[0]._database.read() as connection:
        row = (await connection.execute(text("SELECT * FROM threads"))).mappings().one()
        newest = (await connection.execute(text("SELECT max(seq) FROM messages"))).scalar()
    assert (row["message_count"], row["last_message_seq"]) == (30, newest)


async def test_a_page_of_messages_misses_none_that_come_late(stores: Sequence[Store]) -> None:
    """Whoever has read up to a message has read all that come before it."""
    one, other = stores
    thread = await one.threads.add(make_thread())
    added = [store.messages.add(make_message(thread.id)) for store in stores for _ in range(15)]
    adding = asyncio.gather(*added)
    read: list[str] = []
    while not adding.done() or (await page_behind(other, thread.id, read)).items:
        read += [message.id for message in (await page_behind(other, thread.id, read)).items]
    await adding

    everything = await one.messages.page(thread.id, EVERYTHING)
    assert read == [message.id for message in everything.items]


async def page_behind(store: Store, thread_id: str, read: Sequence[str]) -> Page[Any]:
    after = read[-1] if read else None
    return await store.messages.page(thread_id, PageQuery(5, "asc", after=after))


async def test_a_message_is_deleted_once(stores: Sequence[Store]) -> None:
    thread = await stores[0].threads.add(make_thread())
    for _ in range(5):
        message = await stores[0].messages.add(make_message(thread.id))
        deleted = [store.messages.delete(thread.id, message.id) for store in stores]
        (refused,) = await together(*deleted)
        assert isinstance(refused, NotFound)

    async with stores[0]._database.read() as connection:
        count = await connection.execute(text("SELECT message_count FROM threads"))
        assert count.scalar() == 0


async def test_only_one_of_two_runs_begins_and_no_message_comes_beside_it(
    stores: Sequence[Store],
) -> None:
    for _ in range(5):
        thread = await stores[0].threads.add(make_thread())
        runs = [store.runs.add(make_run(thread.id), announced) for store in stores]
        messages = [store.messages.add(make_message(thread.id)) for store in stores]

        refused = await together(*runs, *messages)

        assert {type(error) for error in refused} == {InvalidRequest}
        assert len((await stores[0].runs.page(thread.id, EVERYTHING)).items) == 1


async def test_a_thread_goes_with_all_that_is_just_being_added(stores: Sequence[Store]) -> None:
    one, other = stores
    for _ in range(5):
        thread = await one.threads.add(make_thread())
        added = [one.messages.add(make_message(thread.id)) for _ in range(3)]
        begun = one.runs.add(make_run(thread.id), announced)

        refused = await together(*added, begun, other.threads.delete(OWNER, thread.id))

        assert {type(error) for error in refused} <= {NotFound, InvalidRequest}
        with pytest.raises(NotFound):
            await one.threads.get(OWNER, thread.id)
    assert (await counted(one, "messages"), await counted(one, "runs")) == (0, 0)


async def test_a_file_is_attached_once(stores: Sequence[Store]) -> None:
    store_id, _ = await add_vector_store(stores[0])
    (file_id,) = await add_files(stores[0], 1)
    added = [
        store.vector_store_files.add(OWNER, make_store_file(file_id, store_id)) for store in stores
    ]

    assert await together(*added) == []

    assert (await check_counters(stores[0], store_id)).in_progress == 1


async def test_what_two_messages_attach_ends_in_one_vector_store(stores: Sequence[Store]) -> None:
    thread = await stores[0].threads.add(make_thread())
    ids = await add_files(stores[0], 6)
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}]
    messages = [
        make_message(thread.id, attachments=[{"file_id": file_id, "tools": tools}])
        for file_id in ids
    ]
    added = [stores[number % 2].messages.add(message) for number, message in enumerate(messages)]

    assert await together(*added) == []

    resources = (await stores[0].threads.get(OWNER, thread.id)).tool_resources
    (store_id,) = resources["file_search"]["vector_store_ids"]
    assert (await check_counters(stores[0], store_id)).in_progress == len(ids)
    assert sorted(resources["code_interpreter"]["file_ids"]) == sorted(ids)


async def test_a_deleted_file_is_nowhere_however_it_was_being_attached(
    stores: Sequence[Store],
) -> None:
    one, other = stores
    store_id, _ = await add_vector_store(one)
    thread = await one.threads.add(make_thread())
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}]
    for _ in range(5):
        (file_id,) = await add_files(one, 1)
        attached = {"file_id": file_id, "tools": tools}

        refused = await together(
            one.vector_store_files.add(OWNER, make_store_file(file_id, store_id)),
            one.messages.add(make_message(thread.id, attachments=[attached])),
            other.files.delete(OWNER, file_id),
        )

        assert {type(error) for error in refused} <= {NotFound}
        assert (await check_counters(one, store_id)).in_progress == 0
        assert file_id not in str((await one.threads.get(OWNER, thread.id)).tool_resources)


async def test_the_parts_of_an_upload_stay_within_its_bound(stores: Sequence[Store]) -> None:
    upload_id = await add_upload(stores[0])
    added = [
        store.uploads.add_part(OWNER, make_part(upload_id, 10), NOW, most_bytes=35)
        for store in stores
        for _ in range(4)
    ]

    refused = await together(*added)

    assert len(refused) == 5
    assert len(await stores[0].uploads.parts(upload_id)) == 3


async def test_an_upload_becomes_one_file(stores: Sequence[Store]) -> None:
    upload = await stores[0].uploads.pending(OWNER, await add_upload(stores[0]), NOW)
    completed = [store.uploads.complete(upload, make_file(), NOW) for store in stores]

    (refused,) = await together(*completed)

    assert str(UploadStatus.COMPLETED) in str(refused)
    assert await counted(stores[0], "files") == 1


async def test_what_is_indexed_while_it_is_cancelled_counts_once(stores: Sequence[Store]) -> None:
    one, other = stores
    store_id, _ = await add_vector_store(one)
    for _ in range(5):
        ids = await add_files(one, 4)
        files = [make_store_file(file_id, store_id) for file_id in ids]
        batch = await one.file_batches.add(OWNER, make_batch(store_id), files)
        taken = await one.index_queue.claim("one", "", [])
        assert taken is not None

        refused = await together(
            one.index_queue.complete(taken, 7),
            other.file_batches.cancel(store_id, batch.id),
            other.vector_store_files.remove(store_id, ids[1]),
            one.vector_store_files.remove(store_id, ids[1]),
            one.vector_store_files.set_attributes(store_id, ids[2], {"k": "v"}),
        )

        assert [type(error) for error in refused] == [NotFound]
        assert (await check_counters(one, store_id)).in_progress == 0


async def test_a_vector_store_is_tidied_by_two_at_once(stores: Sequence[Store]) -> None:
    one, other = stores
    store_id, _ = await add_vector_store(one, 1)
    waiting = await one.index_queue.claim("one", "", [])
    assert waiting is not None
    await one.chunks.replace(waiting, [NewChunk("text", "text")] * 450)
    await one.index_queue.complete(waiting, 1)
    await one.vector_stores.delete(OWNER, store_id)

    assert await together(one.index_queue.tidy(), other.index_queue.tidy()) == []

    for table in ("vector_stores", "vector_store_files", "chunks", "chunk_terms"):
        assert await counted(one, table) == 0
