"""Blobs in the database that several machines share, and the copies that each of them has."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound, ServerFault
from streamlit_assistant.files.blobs import DRAFT_SECONDS, PIECE_BYTES
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.files.shared_blobs import SharedBlobs
from streamlit_assistant.store import Store
from streamlit_assistant.store.blob_bytes import BlobBytes
from streamlit_assistant.store.database import ALONGSIDE, Database, T, Work
from streamlit_assistant.store.files import Files
from tests.conftest import FakeClock, opened_store
from tests.factories import OWNER
from tests.file_factories import make_file
from tests.files.blob_sites import LONGEST_WAIT, Process, content, eventually, stream
from tests.postgres import Postgres

WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = %s"
)


class PausingDatabase:
    """A database whose transactions stop just before their end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.read = database.read
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def transact(self, work: Work[T]) -> T:
        async def both(connection: AsyncConnection) -> T:
            done = await work(connection)
            self.reached.set()
            await self.go_on.wait()
            return done

        return await self._database.transact(both)


@pytest.fixture
async def machines(
    postgres_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Process, Process]]:
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(opened_store(postgres_url, clock)) for _ in "ab"]
        here, there = [
            await Process.begin(store, tmp_path / name, clock)
            for name, store in zip("ab", stores, strict=True)
        ]
        yield here, there


@pytest.fixture
def here(machines: tuple[Process, Process]) -> Process:
    return machines[0]


@pytest.fixture
def there(machines: tuple[Process, Process]) -> Process:
    return machines[1]


async def test_a_file_is_read_on_every_machine(here: Process, there: Process) -> None:
    file = await here.add(b"a" * PIECE_BYTES, b"b")

    assert await content(there.blobs, file.sha256) == b"a" * PIECE_BYTES + b"b"
    async with there.blobs.located(file.sha256) as path:
        assert path.stat().st_size == PIECE_BYTES + 1
    assert (here.cached, there.cached) == ([], [file.sha256])


async def test_what_is_cached_is_private(here: Process) -> None:
    await content(here.blobs, (await here.add(b"text")).sha256)

    paths = [here.folder, *here.folder.rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes == {True: 0o700, False: 0o600}


async def test_deleted_bytes_leave_every_machine(here: Process, there: Process) -> None:
    file, kept = await here.library_add(b"text"), await here.library_add(b"kept")
    for machine in (here, there):
        for some in (file, kept):
            await content(machine.blobs, some.sha256)

    await here.delete(file)
    assert await here.kept() == [kept.sha256]
    assert here.cached == [kept.sha256]

    await there.library.keep_house()
    assert there.cached == [kept.sha256]


async def test_an_addition_waits_for_a_removal_of_the_same(
    here: Process, there: Process, clock: FakeClock, postgres: Postgres, postgres_url: str
) -> None:
    old = await here.add(b"text")
    await here.store.files.delete(old.owner, old.id)
    draft = await there.receive(b"text")
    pause = PausingDatabase(here.store._database)
    stored = BlobBytes(cast("Database", pause), clock)
    removing = asyncio.create_task(stored.forget(old.sha256))
    await pause.reached.wait()

    adding = asyncio.create_task(there.keep(draft))
    await eventually(lambda: postgres.run(WAITING, site(postgres_url)) == [(1,)])
    pause.go_on.set()
    await removing
    new = await adding

    assert await there.kept() == [new.sha256]
    assert await content(here.blobs, new.sha256) == b"text"


async def test_a_removal_waits_for_an_addition_of_the_same(
    here: Process, there: Process, postgres: Postgres, postgres_url: str
) -> None:
    old = await here.add(b"text")
    await here.store.files.delete(old.owner, old.id)
    draft = await there.receive(b"text")
    pause = PausingDatabase(there.store._database)
    file = make_file(sha256=draft.sha256, bytes=draft.bytes)
    async with draft.kept() as blob:
        adding = asyncio.create_task(Files(cast("Database", pause)).add(file, blob))
    await pause.reached.wait()

    removing = asyncio.create_task(here.blobs.forget([old.sha256]))
    await eventually(lambda: postgres.run(WAITING, site(postgres_url)) == [(1,)])
    pause.go_on.set()
    new = await adding
    await removing

    assert await there.kept() == [new.sha256]
    assert await content(here.blobs, new.sha256) == b"text"


def site(url: str) -> str:
    return url.rpartition("/")[2]


async def test_a_file_deleted_while_it_is_fetched_is_unknown(
    here: Process, there: Process, clock: FakeClock
) -> None:
    file = await here.library_add(b"a" * PIECE_BYTES, b"b")

    class Deleting(BlobBytes):
        async def piece(self, blob: int, position: int) -> bytes | None:
            if position == 1:
                await here.delete(file)
            return await super().piece(blob, position)

    stored = Deleting(there.store._database, clock)
    blobs = SharedBlobs(there.folder / "cache", there.store.files, stored)
    library = FileLibrary(there.store, blobs, clock)

    with pytest.raises(NotFound, match=file.id):
        await library.read(file)
    assert (there.cached, list(there.folder.glob("cache/incoming/*"))) == ([], [])


async def test_whoever_wants_the_same_at_once_waits_for_one_fetch(
    here: Process, clock: FakeClock
) -> None:
    file = await here.add(b"text")
    fetched: list[int] = []

    class Counting(BlobBytes):
        async def piece(self, blob: int, position: int) -> bytes | None:
            fetched.append(position)
            return await super().piece(blob, position)

    stored = Counting(here.store._database, clock)
    blobs = SharedBlobs(here.folder / "cache", here.store.files, stored)

    read = await asyncio.gather(*(content(blobs, file.sha256) for _ in range(10)))

    assert read == [b"text"] * 10
    assert fetched == [0]


async def test_one_who_stops_fetching_leaves_it_to_the_next(
    here: Process, clock: FakeClock
) -> None:
    file = await here.add(b"text")
    begun = asyncio.Event()

    class Slow(BlobBytes):
        async def piece(self, blob: int, position: int) -> bytes | None:
            if not begun.is_set():
                begun.set()
                await asyncio.Event().wait()
            return await super().piece(blob, position)

    blobs = SharedBlobs(here.folder / "cache", here.store.files, Slow(here.store._database, clock))
    first = asyncio.create_task(content(blobs, file.sha256))
    await begun.wait()
    second = asyncio.create_task(content(blobs, file.sha256))
    first.cancel()

    async with asyncio.timeout(LONGEST_WAIT):
        assert await second == b"text"
    assert list(here.folder.glob("cache/incoming/*")) == []


async def test_a_draft_that_is_cancelled_at_its_birth_is_removed(
    here: Process, clock: FakeClock
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(BlobBytes):
        async def begin(self) -> int:
            blob = await super().begin()
            begun.set()
            await go_on.wait()
            return blob

    blobs = SharedBlobs(here.folder / "cache", here.store.files, Slow(here.store._database, clock))
    receiving = asyncio.create_task(blobs.receive(stream(b"text"), 10))
    await begun.wait()
    receiving.cancel()
    await asyncio.sleep(0)
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert await here.drafts() == 0


async def test_bytes_that_are_not_what_was_stored_are_refused(here: Process) -> None:
    file = await here.add(b"text")
    await execute(here.store, "UPDATE blob_pieces SET data = 'tex!'")

    with pytest.raises(OSError, match="not those that were stored"):
        await content(here.blobs, file.sha256)
    assert here.cached == []


async def test_the_cache_is_bounded_and_forgets_what_was_not_used_for_longest(
    here: Process,
) -> None:
    blobs = SharedBlobs(
        here.folder / "cache", here.store.files, here.store.blob_bytes, most_cached=300
    )
    first, second, third, fourth = [await here.add(bytes([n]) * 100) for n in range(4)]
    for file in (first, second, third, first, fourth):
        await content(blobs, file.sha256)

    assert here.cached == sorted(file.sha256 for file in (first, third, fourth))
    assert await content(blobs, second.sha256) == b"\1" * 100


async def test_what_is_pushed_out_stays_for_whoever_uses_it(here: Process) -> None:
    blobs = SharedBlobs(
        here.folder / "cache", here.store.files, here.store.blob_bytes, most_cached=100
    )
    used, large = await here.add(b"text"), await here.add(b"x" * 101)

    async with blobs.located(used.sha256) as path:
        assert await content(blobs, large.sha256) == b"x" * 101
        assert here.cached == [], "what is too large for it alone as well"
        assert path.read_bytes() == b"text"
    assert not path.exists()


async def test_the_draft_of_a_killed_process_is_removed_after_a_day(
    here: Process, there: Process, clock: FakeClock
) -> None:
    await here.receive(b"a" * PIECE_BYTES, b"b")
    clock.now += DRAFT_SECONDS
    draft = await here.receive(b"text")
    await there.library.keep_house()
    assert await here.drafts() == 2

    clock.now += 1
    await there.library.keep_house()
    assert await here.drafts() == 1
    assert await content(there.blobs, (await here.keep(draft)).sha256) == b"text"


async def test_bytes_that_came_for_longer_than_that_get_no_row(
    here: Process, there: Process, clock: FakeClock
) -> None:
    draft = await here.receive(b"text")
    clock.now += DRAFT_SECONDS + 1
    await there.library.keep_house()

    with pytest.raises(ServerFault, match="send them again"):
        await here.library.keep(OWNER, "a.txt", "assistants", draft)
    assert await here.store.files.unused([draft.sha256]) == [draft.sha256]


async def test_a_request_has_stored_nothing_before_its_bytes_are_kept(here: Process) -> None:
    noted = []

    async def note(_connection: AsyncConnection) -> None:
        noted.append("stored")

    outer = ALONGSIDE.set(note)
    try:
        draft = await here.receive(b"a" * PIECE_BYTES, b"b")
        assert noted == []
        await here.keep(draft)
        assert noted == ["stored"]
        assert ALONGSIDE.get() is note
    finally:
        ALONGSIDE.reset(outer)


async def test_no_transaction_moves_more_than_a_piece(here: Process) -> None:
    file = await here.add(*[b"x" * 700_000] * 4)

    query = "SELECT position, length(data) FROM blob_pieces ORDER BY position"
    async with here.store._database.read() as connection:
        pieces = (await connection.execute(text(query))).all()

    assert [tuple(piece) for piece in pieces] == [
        (0, PIECE_BYTES),
        (1, PIECE_BYTES),
        (2, file.bytes - 2 * PIECE_BYTES),
    ]


async def execute(store: Store, statement: str) -> None:
    await store._database.transact(lambda connection: connection.execute(text(statement)))
