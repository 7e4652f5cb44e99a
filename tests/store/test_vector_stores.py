"""Vector stores in the database: ownership, expiry, deletion, what is put into them."""

from collections.abc import Sequence

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.file_records import FilledVectorStore, IndexStatus
from streamlit_assistant.records import PageQuery
from streamlit_assistant.store import Store
from streamlit_assistant.store.chunk_removal import PIECE
from streamlit_assistant.store.file_tables import chunks, vector_store_files
from streamlit_assistant.store.vector_store_files import forget_file
from tests.conftest import FakeClock
from tests.factories import OWNER
from tests.file_factories import (
    add_files,
    add_vector_store,
    make_batch,
    make_store_file,
    make_vector_store,
    static,
)

pytestmark = pytest.mark.both_databases

DAY = 86_400
WEEK = {"anchor": "last_active_at", "days": 7}


async def index_all(store: Store, usage_bytes: int = 10) -> None:
    """Let everything that waits be indexed."""
    while (waiting := await store.index_queue.claim("me", "", [])) is not None:
        await store.index_queue.complete(waiting, usage_bytes)


async def add_chunks(store: Store, file_id: str, count: int) -> None:
    async def add(connection: AsyncConnection) -> None:
        mine = vector_store_files.c.id == file_id
        seq = (await connection.execute(select(vector_store_files.c.seq).where(mine))).scalar_one()
        rows = [{"file_seq": seq, "position": n, "start": 0, "text": "text"} for n in range(count)]
        await connection.execute(insert(chunks), rows)

    await store._database.transact(add)


async def count_chunks(store: Store) -> int:
    async with store._database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(chunks)) or 0


async def statuses(store: Store, vector_store_id: str) -> Sequence[str]:
    page = await store.vector_store_files.page(vector_store_id, PageQuery(100, "asc"))
    return [file.status for file in page.items]


async def test_a_vector_store_comes_back_as_it_was_stored(store: Store) -> None:
    made = make_vector_store(
        name="手册", description="manuals", metadata={"k": "🙂"}, expires_after=WEEK
    )

    stored = await store.vector_stores.add(FilledVectorStore(made))

    assert stored == await store.vector_stores.get(OWNER, made.id)
    assert (stored.name, stored.description, stored.metadata) == ("手册", "manuals", {"k": "🙂"})
    assert stored.expires_at == made.created_at + 7 * DAY


async def test_nobody_reaches_what_is_anothers(store: Store) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    other_id, _ = await add_vector_store(store, owner="stranger")

    for call in (
        store.vector_stores.get("stranger", store_id),
        store.vector_stores.modify("stranger", store_id, {"name": "mine"}),
        store.vector_stores.delete("stranger", store_id),
        store.vector_stores.check("stranger", [other_id, store_id]),
        store.vector_store_files.add("stranger", make_store_file(file_id, store_id)),
        store.vector_store_files.add("stranger", make_store_file(file_id, other_id)),
    ):
        with pytest.raises(NotFound):
            await call
    assert [found.id for found in (await store.vector_stores.page("stranger", PageQuery())).items]
    await store.vector_stores.check(OWNER, [store_id])


async def test_an_unknown_file_is_named_and_nothing_is_stored(store: Store) -> None:
    made = make_vector_store()
    files = [make_store_file("file-unknown", made.id)]

    with pytest.raises(NotFound, match="No such File object: file-unknown"):
        await store.vector_stores.add(FilledVectorStore(made, files))

    assert (await store.vector_stores.page(OWNER, PageQuery())).items == []


async def test_a_file_that_has_expired_cannot_be_added(store: Store, clock: FakeClock) -> None:
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1, expires_at=int(clock.now))

    with pytest.raises(NotFound):
        await store.vector_store_files.add(OWNER, make_store_file(file_id, store_id))


async def test_files_that_hold_no_text_are_refused_by_their_kind(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    ids = [
        (await add_files(store, 1, filename=name))[0]
        for name in ("photo.PNG", "song.mp3", "notes.md", "Makefile", ".gitignore")
    ]
    files = [make_store_file(file_id, store_id) for file_id in ids]

    with pytest.raises(InvalidRequest) as refused:
        await store.file_batches.add(OWNER, make_batch(store_id), files)
    await store.file_batches.add(OWNER, make_batch(store_id), files[2:])

    assert refused.value.message.startswith(
        "Files with extensions [.mp3, .png] are not supported for retrieval. See https://"
    )
    assert (refused.value.param, refused.value.code) == ("file_ids", "unsupported_file")


async def test_adding_a_file_again_changes_nothing(store: Store) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    again = make_store_file(file_id, store_id)

    waiting = await store.vector_store_files.add(OWNER, again)
    await index_all(store)
    done = await store.vector_store_files.add(OWNER, again)

    assert (waiting.status, done.status) == (IndexStatus.IN_PROGRESS, IndexStatus.COMPLETED)
    assert waiting.seq == done.seq


async def test_adding_a_file_with_other_attributes_keeps_what_is_indexed(store: Store) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    await index_all(store)

    changed = await store.vector_store_files.add(
        OWNER, make_store_file(file_id, store_id, attributes={"year": 2026})
    )

    assert (changed.status, changed.attributes) == (IndexStatus.COMPLETED, {"year": 2026})


async def test_adding_a_file_to_be_cut_otherwise_indexes_it_again(store: Store) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    await index_all(store)

    changed = await store.vector_store_files.add(
        OWNER, make_store_file(file_id, store_id, chunking_strategy=static(200, 50))
    )
    found = await store.vector_stores.get(OWNER, store_id)

    assert changed.status is IndexStatus.IN_PROGRESS
    assert changed.chunking_strategy == static(200, 50)
    assert (found.in_progress, found.completed, found.usage_bytes) == (1, 0, 0)


async def test_a_file_that_failed_is_tried_again_when_it_is_added_again(store: Store) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    waiting = await store.index_queue.claim("me", "", [])
    assert waiting is not None
    await store.index_queue.fail(waiting, "invalid_file", "It is empty.")
    failed = await store.vector_store_files.get(store_id, file_id)

    again = await store.vector_store_files.add(OWNER, make_store_file(file_id, store_id))

    assert failed.last_error == {"code": "invalid_file", "message": "It is empty."}
    assert (again.status, again.last_error) == (IndexStatus.IN_PROGRESS, None)


async def test_what_was_cut_the_old_way_does_not_count(store: Store) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    old = await store.index_queue.claim("me", "", [])
    assert old is not None
    await store.vector_store_files.add(
        OWNER, make_store_file(file_id, store_id, chunking_strategy=static(200, 50))
    )

    assert not await store.index_queue.wants(old)
    assert not await store.index_queue.complete(old, 10)
    await store.index_queue.fail(old, "server_error", "late")
    assert await statuses(store, store_id) == ["in_progress"]


async def test_pages_of_files_are_of_one_store_and_one_status(store: Store) -> None:
    store_id, ids = await add_vector_store(store, 4)
    other_id, _ = await add_vector_store(store)
    for file_id in ids[:3]:
        await store.vector_store_files.add(OWNER, make_store_file(file_id, other_id))
    waiting = await store.index_queue.claim("me", "", [])
    assert waiting is not None
    await store.index_queue.complete(waiting, 1)
    indexed, rest = waiting.file.vector_store_id, {store_id: 4, other_id: 3}

    done = await store.vector_store_files.page(indexed, PageQuery(), IndexStatus.COMPLETED)
    left = await store.vector_store_files.page(indexed, PageQuery(), IndexStatus.IN_PROGRESS)
    behind = await store.vector_store_files.page(other_id, PageQuery(2, "asc", after=ids[0]))

    assert [file.id for file in done.items] == [waiting.file.id]
    assert len(left.items) == rest[indexed] - 1
    assert [file.id for file in behind.items] == ids[1:3]
    with pytest.raises(NotFound):
        await store.vector_store_files.page(other_id, PageQuery(after=ids[3]))


async def test_a_removed_file_leaves_no_chunks_however_many(store: Store) -> None:
    store_id, (file_id, other) = await add_vector_store(store, 2)
    await add_chunks(store, file_id, 2 * PIECE + 1)
    await add_chunks(store, other, 1)
    await index_all(store)

    await store.vector_store_files.remove(store_id, file_id)

    found = await store.vector_stores.get(OWNER, store_id)
    assert (found.completed, found.cancelled, found.usage_bytes) == (1, 0, 10)
    assert await count_chunks(store) == 1
    with pytest.raises(NotFound, match=f"No file found with id '{file_id}' in vector store"):
        await store.vector_store_files.get(store_id, file_id)


@pytest.mark.parametrize("in_pieces", [True, False])
async def test_a_deleted_file_leaves_every_vector_store(store: Store, in_pieces: bool) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1)
    other_id, _ = await add_vector_store(store)
    await store.vector_store_files.add(OWNER, make_store_file(file_id, other_id))
    await index_all(store)

    if in_pieces:
        await store.vector_store_files.remove_everywhere(file_id)
    else:
        await store._database.transact(lambda connection: forget_file(connection, file_id))

    for vector_store_id in (store_id, other_id):
        found = await store.vector_stores.get(OWNER, vector_store_id)
        assert (found.completed, found.usage_bytes) == (0, 0)
        assert await statuses(store, vector_store_id) == []


async def test_a_deleted_store_is_gone_at_once_and_its_chunks_soon(store: Store) -> None:
    store_id, (file_id, _) = await add_vector_store(store, 2)
    await add_chunks(store, file_id, PIECE + 1)
    taken = await store.index_queue.claim("me", "", [])
    assert taken is not None

    await store.vector_stores.delete(OWNER, store_id)

    with pytest.raises(NotFound):
        await store.vector_stores.get(OWNER, store_id)
    assert await store.index_queue.claim("me", "", []) is None
    assert not await store.index_queue.wants(taken)
    assert not await store.vector_stores.being_indexed([store_id])
    await store.index_queue.tidy()
    assert await count_chunks(store) == 0
    async with store._database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(vector_store_files)) == 0


async def test_expiry_counts_from_the_last_use(store: Store, clock: FakeClock) -> None:
    store_id, _ = await add_vector_store(store, expires_after=WEEK)
    clock.now += 6 * DAY
    await store.vector_stores.touch([store_id])
    clock.now += 6 * DAY

    assert await store.vector_stores.expired([store_id]) == []
    clock.now += DAY
    assert await store.vector_stores.expired([store_id]) == [store_id]


async def test_what_has_expired_stays_so_and_takes_no_files(store: Store, clock: FakeClock) -> None:
    store_id, _ = await add_vector_store(store, expires_after=WEEK)
    (file_id,) = await add_files(store, 1)
    clock.now += 7 * DAY

    await store.vector_stores.touch([store_id])

    assert await store.vector_stores.expired([store_id]) == [store_id]
    for call in (
        store.vector_stores.usable(OWNER, store_id),
        store.vector_stores.modify(OWNER, store_id, {"expires_after": None}),
        store.vector_store_files.add(OWNER, make_store_file(file_id, store_id)),
    ):
        with pytest.raises(InvalidRequest, match=f"Vector store {store_id} has expired"):
            await call
    renamed = await store.vector_stores.modify(OWNER, store_id, {"name": "old"})
    assert renamed.name == "old"


async def test_another_expiry_counts_from_now(store: Store, clock: FakeClock) -> None:
    store_id, _ = await add_vector_store(store)
    clock.now += 100 * DAY

    changed = await store.vector_stores.modify(OWNER, store_id, {"expires_after": WEEK})
    never = await store.vector_stores.modify(OWNER, store_id, {"expires_after": None})

    assert changed.expires_at == clock.now + 7 * DAY
    assert (never.expires_after, never.expires_at) == (None, None)


async def test_adding_a_file_is_use(store: Store, clock: FakeClock) -> None:
    store_id, _ = await add_vector_store(store, expires_after=WEEK)
    (file_id,) = await add_files(store, 1)
    clock.now += 3 * DAY

    await store.vector_store_files.add(OWNER, make_store_file(file_id, store_id))

    found = await store.vector_stores.get(OWNER, store_id)
    assert (found.last_active_at, found.expires_at) == (clock.now, clock.now + 7 * DAY)


async def test_the_chunks_of_an_expired_store_go_but_not_its_rows(
    store: Store, clock: FakeClock
) -> None:
    store_id, (file_id,) = await add_vector_store(store, 1, expires_after=WEEK)
    kept_id, (kept_file,) = await add_vector_store(store, 1)
    await add_chunks(store, file_id, PIECE + 1)
    await add_chunks(store, kept_file, 1)
    await index_all(store)
    clock.now += 7 * DAY

    await store.index_queue.tidy()

    assert await count_chunks(store) == 1
    assert (await store.vector_stores.get(OWNER, store_id)).usage_bytes == 0
    assert (await store.vector_stores.get(OWNER, kept_id)).usage_bytes == 10
    assert await statuses(store, store_id) == ["completed"]


async def test_the_queue_serves_the_stores_in_turn_and_each_from_its_oldest(store: Store) -> None:
    stores = dict([await add_vector_store(store, 3) for _ in range(3)])
    behind, seen = "", []
    for _ in range(9):
        found = await store.index_queue.claim("me", behind, [])
        found = found or await store.index_queue.claim("me", "", [])
        assert found is not None
        behind = found.file.vector_store_id
        seen.append((behind, found.file.id))
        await store.index_queue.complete(found, 1)

    assert [vector_store_id for vector_store_id, _ in seen] == sorted(stores) * 3
    for vector_store_id, ids in stores.items():
        assert [file_id for where, file_id in seen if where == vector_store_id] == ids


async def test_looking_for_work_reads_only_what_waits(sqlite_store: Store) -> None:
    query = (
        "EXPLAIN QUERY PLAN SELECT 1 FROM vector_store_files JOIN vector_stores"
        " ON vector_store_files.vector_store_id = vector_stores.id"
        " WHERE status = 'in_progress' AND vector_store_files.vector_store_id > 'x'"
        " AND vector_store_files.seq NOT IN (1, 2)"
        " ORDER BY vector_store_files.vector_store_id, vector_store_files.seq LIMIT 1"
    )
    async with sqlite_store._database.read() as connection:
        plan = " ".join(row.detail for row in await connection.execute(text(query)))

    assert "ix_vector_store_files_waiting" in plan
    assert "TEMP B-TREE" not in plan
