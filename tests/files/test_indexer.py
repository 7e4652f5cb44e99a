"""The indexer: everything that waits is indexed or says why not, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import FileBatch, IndexStatus, NewChunk, VectorStoreFile
from streamlit_assistant.files.folder_blobs import FolderBlobs
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.files.unreadable import NotRead, Unreadable
from streamlit_assistant.records import PageQuery
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.factories import OWNER
from tests.file_factories import (
    add_files,
    add_vector_store,
    make_batch,
    make_store_file,
    static,
)
from tests.store.test_vector_stores import count_chunks

FULL_DISK = (
    "CREATE TRIGGER full_disk BEFORE INSERT ON chunks "
    "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
)
WORDS = [NewChunk("héllo", "hello"), NewChunk("world", "world")]
SOON = 5.0


class ScriptedReader:
    """Reads what it is told, when it is let."""

    def __init__(self) -> None:
        self.result: list[NewChunk] | Exception = WORDS
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()
        self.reading = 0
        self.most_reading = 0
        self.stopped = 0
        self.read_names: list[str] = []
        self.strategies: list[tuple[int, int]] = []

    async def read(
        self, _path: Path, filename: str, max_chunk_tokens: int, overlap_tokens: int
    ) -> list[NewChunk]:
        self.read_names.append(filename)
        self.strategies.append((max_chunk_tokens, overlap_tokens))
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        self.begun.set()
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        finally:
            self.reading -= 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def hold(self) -> None:
        self.open.clear()
        self.begun.clear()


class NoEmbeddings:
    """What stands for a model server without embeddings."""

    async def embedder(self) -> None:
        return None


@pytest.fixture
def reader() -> ScriptedReader:
    return ScriptedReader()


@pytest.fixture
def library(store: Store, tmp_path: Path, clock: FakeClock) -> FileLibrary:
    return FileLibrary(store, FolderBlobs(tmp_path / "files", store.files), clock)


@pytest.fixture
def make_indexer(
    store: Store, library: FileLibrary, reader: ScriptedReader
) -> Callable[[], Indexer]:
    keeper = FileSearch(store, NoEmbeddings())
    return lambda: Indexer(store, library, reader, keeper, name=lambda: "me")


@pytest.fixture
async def indexer(make_indexer: Callable[[], Indexer]) -> AsyncIterator[Indexer]:
    async with running(make_indexer()) as started:
        yield started


@asynccontextmanager
async def running(indexer: Indexer) -> AsyncIterator[Indexer]:
    await indexer.start()
    try:
        yield indexer
    finally:
        await indexer.stop()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


async def execute(store: Store, statement: str) -> None:
    await store._database.transact(lambda connection: connection.execute(text(statement)))


async def files_of(store: Store, vector_store_id: str) -> Sequence[VectorStoreFile]:
    return (await store.vector_store_files.page(vector_store_id, PageQuery(100, "asc"))).items


async def waiting_store(
    store: Store, indexer: Indexer, count: int = 1, owner: str = OWNER
) -> tuple[str, list[str]]:
    made = await add_vector_store(store, count, owner=owner)
    indexer.notify()
    return made


async def settled(indexer: Indexer, *store_ids: str) -> None:
    assert await indexer.wait_until_indexed(store_ids, SOON)


async def test_what_is_added_is_indexed(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    store_id, _ = await waiting_store(store, indexer, 3)

    await settled(indexer, store_id)

    found = await store.vector_stores.get(OWNER, store_id)
    assert (found.completed, found.usage_bytes) == (3, 3 * len("hélloworld".encode()))
    assert await count_chunks(store) == 3 * len(WORDS)
    assert reader.strategies == [(800, 400)] * 3


async def test_a_strategy_of_its_own_is_followed(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1)
    file = make_store_file(file_id, store_id, chunking_strategy=static(300, 20))

    await store.vector_store_files.add(OWNER, file)
    indexer.notify()
    await settled(indexer, store_id)

    assert reader.strategies == [(300, 20)]


@pytest.mark.parametrize(
    ("result", "code", "said"),
    [
        (Unreadable("unsupported_file", "It is a picture."), "unsupported_file", "a picture"),
        (RuntimeError("bug"), "server_error", "could not be read"),
        ([], "invalid_file", "no text"),
    ],
)
async def test_what_cannot_be_indexed_says_why(
    store: Store,
    indexer: Indexer,
    reader: ScriptedReader,
    result: list[NewChunk] | Exception,
    code: str,
    said: str,
) -> None:
    reader.result = result
    store_id, _ = await waiting_store(store, indexer)

    await settled(indexer, store_id)

    (file,) = await files_of(store, store_id)
    assert file.status is IndexStatus.FAILED
    assert file.last_error is not None
    assert file.last_error["code"] == code
    assert said in file.last_error["message"]


async def test_a_file_that_expired_while_it_waited_fails(
    store: Store, indexer: Indexer, clock: FakeClock
) -> None:
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1, expires_at=int(clock.now) + 1)
    await store.vector_store_files.add(OWNER, make_store_file(file_id, store_id))
    clock.now += 1
    indexer.notify()

    await settled(indexer, store_id)

    (file,) = await files_of(store, store_id)
    assert file.last_error is not None
    assert "expired" in file.last_error["message"]


async def test_only_so_many_are_read_at_once(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    reader.hold()
    store_id, _ = await waiting_store(store, indexer, 6)
    await eventually(lambda: reader.reading == 2)
    reader.open.set()

    await settled(indexer, store_id)

    assert reader.most_reading == 2


async def test_one_owners_thousands_do_not_keep_anothers_file_waiting(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    reader.hold()
    many, _ = await waiting_store(store, indexer, 40)
    await reader.begun.wait()
    single, _ = await add_vector_store(store, owner="other")
    (file_id,) = await add_files(store, 1, owner="other", filename="single.md")
    await store.vector_store_files.add("other", make_store_file(file_id, single))
    indexer.notify()
    reader.open.set()

    await settled(indexer, many, single)

    assert reader.read_names.index("single.md") <= 4


async def test_what_was_being_indexed_when_the_process_ended_is_taken_again(
    store: Store, make_indexer: Callable[[], Indexer], reader: ScriptedReader
) -> None:
    store_id, _ = await add_vector_store(store, 3)
    reader.hold()
    async with running(make_indexer()):
        await reader.begun.wait()
    (first, *_) = await files_of(store, store_id)
    reader.open.set()
    async with running(make_indexer()) as indexer:
        await settled(indexer, store_id)

    assert first.status is IndexStatus.IN_PROGRESS
    assert {file.status for file in await files_of(store, store_id)} == {IndexStatus.COMPLETED}
    assert reader.reading == 0


async def test_a_failing_database_loses_no_file(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    await execute(store, FULL_DISK)
    store_id, _ = await waiting_store(store, indexer, 2)
    await eventually(lambda: len(reader.read_names) == 2)
    await execute(store, "DROP TRIGGER full_disk")

    await settled(indexer, store_id)

    assert {file.status for file in await files_of(store, store_id)} == {IndexStatus.COMPLETED}
    assert await count_chunks(store) == 2 * len(WORDS)


async def cancel_batch(store: Store, batch: FileBatch) -> None:
    await store.file_batches.cancel(batch.vector_store_id, batch.id)


async def remove_file(store: Store, batch: FileBatch) -> None:
    (file,) = await files_of(store, batch.vector_store_id)
    await store.vector_store_files.remove(batch.vector_store_id, file.id)


async def delete_file(store: Store, batch: FileBatch) -> None:
    (file,) = await files_of(store, batch.vector_store_id)
    await store.vector_store_files.remove_everywhere(file.id)
    await store.files.delete(OWNER, file.id)


async def delete_store(store: Store, batch: FileBatch) -> None:
    await store.vector_stores.delete(OWNER, batch.vector_store_id)


async def held_batch(store: Store, reader: ScriptedReader) -> FileBatch:
    """A batch of one file whose reading does not end before it is let."""
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1)
    reader.hold()
    batch = await store.file_batches.add(
        OWNER, make_batch(store_id), [make_store_file(file_id, store_id)]
    )
    return batch


@pytest.mark.parametrize("deed", [cancel_batch, remove_file, delete_file, delete_store])
async def test_what_is_no_longer_wanted_while_it_is_read_leaves_no_traces(
    store: Store,
    indexer: Indexer,
    reader: ScriptedReader,
    deed: Callable[[Store, FileBatch], object],
) -> None:
    batch = await held_batch(store, reader)
    indexer.notify()
    await reader.begun.wait()

    await deed(store, batch)  # type: ignore[misc]
    reader.open.set()
    await eventually(lambda: not reader.reading)
    # Another file behind it shows that the indexer is done with the first.
    other_id, _ = await waiting_store(store, indexer)
    await settled(indexer, other_id)

    assert await count_chunks(store) == len(WORDS)


@pytest.mark.parametrize("deed", [cancel_batch, remove_file, delete_file, delete_store])
async def test_nobody_waits_behind_what_is_no_longer_wanted(
    store: Store,
    library: FileLibrary,
    reader: ScriptedReader,
    deed: Callable[[Store, FileBatch], object],
) -> None:
    batch = await held_batch(store, reader)
    keeper = FileSearch(store, NoEmbeddings())
    async with running(
        Indexer(store, library, reader, keeper, name=lambda: "me", most_files=1)
    ) as indexer:
        await reader.begun.wait()
        other_id, _ = await waiting_store(store, indexer)

        await deed(store, batch)  # type: ignore[misc]
        indexer.notify()
        await eventually(lambda: len(reader.read_names) == 2)
        assert (reader.stopped, reader.reading) == (1, 1)
        reader.open.set()
        await settled(indexer, other_id)

    assert await count_chunks(store) == len(WORDS)


async def test_a_file_that_nobody_could_look_at_is_tried_again(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    reader.result = NotRead("no process")
    store_id, _ = await waiting_store(store, indexer)
    await eventually(lambda: len(reader.read_names) == 1)
    reader.result = WORDS

    await settled(indexer, store_id)

    (file,) = await files_of(store, store_id)
    assert file.status is IndexStatus.COMPLETED


async def test_a_file_to_be_cut_otherwise_meanwhile_is_read_again(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    reader.hold()
    store_id, (file_id,) = await waiting_store(store, indexer)
    await reader.begun.wait()
    changed = make_store_file(file_id, store_id, chunking_strategy=static(100, 50))
    await store.vector_store_files.add(OWNER, changed)
    reader.open.set()

    await settled(indexer, store_id)

    assert reader.strategies == [(800, 400), (100, 50)]
    assert await count_chunks(store) == len(WORDS)


async def test_waiting_ends_when_the_time_is_over(
    store: Store, indexer: Indexer, reader: ScriptedReader
) -> None:
    reader.hold()
    store_id, _ = await waiting_store(store, indexer)

    assert not await indexer.wait_until_indexed([store_id], 0.02)
    assert await indexer.wait_until_indexed(["vs_unknown"], 0)
    reader.open.set()


async def test_a_deleted_store_is_removed_soon(store: Store, indexer: Indexer) -> None:
    store_id, _ = await waiting_store(store, indexer, 2)
    await settled(indexer, store_id)

    await store.vector_stores.delete(OWNER, store_id)
    indexer.notify()

    async with asyncio.timeout(SOON):
        while True:
            if not await count_chunks(store):
                break
            await asyncio.sleep(0.01)
    with pytest.raises(NotFound):
        await store.vector_stores.get(OWNER, store_id)
