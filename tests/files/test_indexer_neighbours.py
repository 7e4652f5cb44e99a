"""Indexers of several processes on one database: every file is indexed once, whoever dies."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamlit_assistant.file_records import IndexStatus
from streamlit_assistant.files import indexer as indexer_module
from streamlit_assistant.files.folder_blobs import FolderBlobs
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.process_identity import this_process
from streamlit_assistant.store import Store
from tests.conftest import FakeClock, opened_store
from tests.factories import OWNER
from tests.file_factories import add_vector_store
from tests.files.shelf import NoEmbeddings
from tests.files.test_indexer import WORDS, ScriptedReader, eventually, files_of, settled
from tests.store.test_vector_stores import count_chunks

pytestmark = pytest.mark.both_databases


@dataclass
class Process:
    """What indexes in a process. Whoever kills it lets nobody tell the others."""

    store: Store
    indexer: Indexer
    name: str
    reader: ScriptedReader = field(default_factory=ScriptedReader)

    @classmethod
    async def begin(cls, store: Store, folder: Path, name: str, clock: FakeClock) -> "Process":
        await store.executors.register(name, "all", this_process(), 60)
        reader = ScriptedReader()
        library = FileLibrary(store, FolderBlobs(folder, store.files), clock)
        search = FileSearch(store, NoEmbeddings())
        indexer = Indexer(store, library, reader, search, name=lambda: name)
        return cls(store, indexer, name, reader)


@pytest.fixture
async def processes(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Sequence[Process]]:
    """Two, whose indexers are not started yet."""
    async with AsyncExitStack() as stack:
        begun = []
        for name in ("one", "other"):
            store = await stack.enter_async_context(opened_store(database_url, clock))
            begun.append(await Process.begin(store, tmp_path / "files", name, clock))
            stack.push_async_callback(begun[-1].indexer.stop)
        yield begun


async def test_what_waits_is_shared_out(processes: Sequence[Process]) -> None:
    one, other = processes
    made = [await add_vector_store(one.store, 5) for _ in range(3)]
    for process in processes:
        process.reader.hold()
        await process.indexer.start()
    await asyncio.gather(*(process.reader.begun.wait() for process in processes))
    for process in processes:
        process.reader.open.set()

    await settled(one.indexer, *(store_id for store_id, _ in made))

    assert len(one.reader.read_names) + len(other.reader.read_names) == 15
    assert min(len(process.reader.read_names) for process in processes) > 0
    assert await count_chunks(other.store) == 15 * len(WORDS)


async def test_what_a_killed_process_left_is_indexed_by_another(
    processes: Sequence[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_module, "MISSED_SECONDS", 0.05)
    one, other = processes
    store_id, _ = await add_vector_store(one.store, 2)
    one.reader.hold()
    await one.indexer.start()
    await eventually(lambda: one.reader.reading == 2)
    await one.indexer.stop()
    await other.indexer.start()
    # Whoever waits for it may ask in any process.
    assert not await other.indexer.wait_until_indexed([store_id], 0.2)
    assert other.reader.read_names == []

    await other.store.executors.bury([one.name])

    await settled(other.indexer, store_id)
    assert len(other.reader.read_names) == 2


async def test_a_process_that_was_taken_for_dead_leaves_its_files_alone(
    processes: Sequence[Process],
) -> None:
    one, other = processes
    store_id, _ = await add_vector_store(one.store, 1)
    one.reader.hold()
    await one.indexer.start()
    await one.reader.begun.wait()
    await one.store.executors.bury([one.name])
    await other.indexer.start()
    await settled(other.indexer, store_id)
    (done,) = await files_of(other.store, store_id)

    one.reader.result = []  # it would fail
    one.reader.open.set()
    one.indexer.notify()
    await eventually(lambda: not one.reader.reading)
    await one.indexer.stop()

    assert done.status is IndexStatus.COMPLETED
    assert await files_of(one.store, store_id) == [done]
    assert await count_chunks(one.store) == len(WORDS)


async def test_what_another_process_cancels_is_stopped_at_the_next_look(
    processes: Sequence[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_module, "MISSED_SECONDS", 0.05)
    one, other = processes
    store_id, (file_id,) = await add_vector_store(one.store, 1)
    one.reader.hold()
    await one.indexer.start()
    await one.reader.begun.wait()

    await other.store.vector_store_files.remove(store_id, file_id)

    await eventually(lambda: one.reader.stopped == 1)
    assert (await other.store.vector_stores.get(OWNER, store_id)).in_progress == 0
