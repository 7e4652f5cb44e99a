"""What happens to a thread while it is being moved out, and to the archive that cannot take it."""

import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from streamlit_assistant.archive.archive_errors import BrokenObject, PlaceTrouble
from streamlit_assistant.archive.folder_place import FolderPlace
from streamlit_assistant.archive.moving_out import Moved, MovingOut
from streamlit_assistant.archive.site_database import SiteDatabase, opened_database
from streamlit_assistant.store.archived_threads import Removal
from tests.archive.archived_site import AGE, OLD, ArchivedSite, add, filled

ADDED = (
    "INSERT INTO messages (id, thread_id, created_at, role, content, status, attachments, metadata)"
    " VALUES ('msg_new', 'thread_a', 1, 'user', '[]', 'completed', '[]', '{}')"
)
CHANGES = {
    "a message more": ADDED,
    "a message less": "DELETE FROM messages WHERE id = 'msg_a2'",
    "a message's metadata": "UPDATE messages SET metadata = '{\"a\":\"b\"}' WHERE id = 'msg_a0'",
    "the thread's title": "UPDATE threads SET title = 'another' WHERE id = 'thread_a'",
    "a run's metadata": "UPDATE runs SET metadata = '{\"a\":\"b\"}' WHERE id = 'run_a0'",
    "a step's usage": "UPDATE run_steps SET usage = NULL WHERE id = 'step_a11'",
    "a run at work": "UPDATE runs SET status = 'queued' WHERE id = 'run_a1'",
}


class Meddled(FolderPlace):
    """A folder; once something was put there, something else happens."""

    def __init__(self, path: Path, meddle: Callable[[str], object]) -> None:
        super().__init__(path)
        self._meddle = meddle

    def publish(self, thread_id: str, draft: IO[bytes]) -> None:
        """Put it there, then meddle."""
        super().publish(thread_id, draft)
        self._meddle(thread_id)


class MeddledBefore(Meddled):
    """The same; what happens does so before anything is put there."""

    @contextmanager
    def draft(self, thread_id: str) -> Iterator[IO[bytes]]:
        """Meddle, then give the file."""
        self._meddle(thread_id)
        with super().draft(thread_id) as file:
            yield file

    def publish(self, thread_id: str, draft: IO[bytes]) -> None:
        """Put it there."""
        FolderPlace.publish(self, thread_id, draft)


class Full(FolderPlace):
    """A folder on a disk that has room for so many bytes more."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path)
        self._room = room

    @contextmanager
    def draft(self, thread_id: str) -> Iterator[IO[bytes]]:
        """Give a file that can grow no further."""
        with super().draft(thread_id) as file:
            yield Limited(file, self)  # type: ignore[misc]

    def take(self, size: int) -> None:
        """Use some of the room."""
        self._room -= size
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Limited:
    """A file of which every byte is counted."""

    def __init__(self, file: IO[bytes], disk: Full) -> None:
        self._file = file
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        """Write, if there is room."""
        self._disk.take(len(data))
        return self._file.write(data)


@asynccontextmanager
async def opened(site: ArchivedSite) -> AsyncIterator[SiteDatabase]:
    async with opened_database(site.settings) as database, database.alone():
        yield database


async def move(site: ArchivedSite, place: FolderPlace) -> Moved:
    place.make()
    async with opened(site) as database:
        return await MovingOut(database.leaving, place, site.clock).run(int(site.clock()) - AGE)


@pytest.mark.both_databases
@pytest.mark.parametrize("change", CHANGES)
async def test_a_thread_that_changes_while_it_is_moved_stays(
    site: ArchivedSite, change: str
) -> None:
    name, other = site.fill("a"), site.fill("b")

    def meddle(thread_id: str) -> None:
        if thread_id == name:
            site.execute(CHANGES[change])

    moved = await move(site, Meddled(site.folder, meddle))

    assert site.threads() == {name}
    assert (moved.threads, moved.outcomes[Removal.CHANGED]) == (1, 1)
    assert [site.object(thread).exists() for thread in (name, other)] == [False, True]
    if change == "a message more":
        assert site.execute("SELECT id FROM messages WHERE id = 'msg_new'")


@pytest.mark.both_databases
async def test_a_thread_that_a_mirror_lacks_since_it_was_looked_at_stays(
    site: ArchivedSite,
) -> None:
    name = site.fill("a")

    def note(thread_id: str) -> None:
        with site.connected() as connection:
            change = filled("mirror_outbox", 0, thread_id=thread_id, target="t", kind="message")
            add(connection, "mirror_outbox", change)

    moved = await move(site, MeddledBefore(site.folder, note))

    assert (site.threads(), moved.threads) == ({name}, 0)
    assert not site.object(name).exists()


@pytest.mark.both_databases
async def test_a_thread_that_a_new_mirror_lacks_stays(site: ArchivedSite) -> None:
    name = site.fill("a")

    def register(_thread_id: str) -> None:
        with site.connected() as connection:
            mirror = {"target": "t", "copied_until": 0, "threads_until": 1}
            add(connection, "mirrors", filled("mirrors", 0, **mirror))

    await move(site, Meddled(site.folder, register))

    assert site.threads() == {name}


@pytest.mark.both_databases
async def test_a_thread_deleted_meanwhile_is_told_of(site: ArchivedSite) -> None:
    name = site.fill("a")
    gone = Meddled(site.folder, lambda _: site.execute("DELETE FROM threads"))

    moved = await move(site, gone)

    assert (moved.gone, site.threads()) == ([name], set())


@pytest.mark.both_databases
async def test_nobody_else_moves_threads_of_the_database(site: ArchivedSite) -> None:
    site.fill("a")
    async with opened(site):
        moved = await site.move()
        restored = await site.restore("thread_a")

    assert (moved.code, restored.code, len(site.threads())) == (1, 1, 1)
    assert "Another `start archive` is at work" in moved.complaints
    assert (await site.move()).code == 0


async def test_a_full_disk_stops_it_and_a_later_run_goes_on(site: ArchivedSite) -> None:
    for number in range(20):
        site.fill(f"a{number}", last_active_at=OLD)
    before = site.rows()

    moved = await move(site, Full(site.folder, 5_000))

    assert isinstance(moved.trouble, PlaceTrouble)
    assert "No space left on device" in str(moved.trouble)
    assert 0 < moved.threads < 20
    kept = {path.name.partition(".")[0] for path in (site.folder / "threads").iterdir()}
    assert len(kept) == moved.threads  # no drafts either
    assert site.threads().isdisjoint(kept)
    await site.move()
    assert (await site.restore(*(f"thread_a{number}" for number in range(20)))).code == 0
    assert site.rows() == before


async def test_what_reads_back_wrong_stays_in_the_database(site: ArchivedSite) -> None:
    name = site.fill("a")

    def damage(thread_id: str) -> None:
        path = site.object(thread_id)
        path.write_bytes(path.read_bytes()[:-9] + b"123456789")

    moved = await move(site, Meddled(site.folder, damage))

    assert isinstance(moved.trouble, BrokenObject)
    assert site.threads() == {name}


async def test_what_reads_back_as_something_else_stays_in_the_database(site: ArchivedSite) -> None:
    name = site.fill("a")
    await site.move()
    older = site.object(name).read_bytes()
    await site.restore(name)
    site.execute("UPDATE threads SET title = 'newer'")

    moved = await move(
        site, Meddled(site.folder, lambda thread: site.object(thread).write_bytes(older))
    )

    assert "gives back something else" in str(moved.trouble)
    assert site.threads() == {name}


async def test_drafts_of_a_killed_process_are_written_over(site: ArchivedSite) -> None:
    name = site.fill("a")
    FolderPlace(site.folder).make()
    left = site.object(name).with_name(f".{name}.ndjson.gz.part")
    left.write_bytes(b"half a thread" * 10_000)

    assert "1 thread in" not in (await site.listed()).out
    await site.move()

    assert [path.name for path in (site.folder / "threads").iterdir()] == [site.object(name).name]
    assert (await site.restore(name)).code == 0


async def test_a_folder_within_a_missing_one_is_not_made(site: ArchivedSite) -> None:
    site.fill("a")
    site.place = str(site.folder / "of" / "a-disk-that-is-not-mounted")

    moved = await site.move()

    assert (moved.code, len(site.threads())) == (1, 1)
    assert "No such file or directory" in moved.complaints


async def test_a_file_is_no_archive(site: ArchivedSite) -> None:
    site.fill("a")
    site.folder.write_text("not a folder")

    assert "(Not a directory)" in (await site.move()).complaints
    assert "(Not a directory)" in (await site.listed()).complaints


async def test_a_database_that_needs_its_server_first_is_left_alone(site: ArchivedSite) -> None:
    site.execute("UPDATE alembic_version SET version_num = '0004'")

    moved = await site.move()

    assert moved.code == 1
    assert "start the server of this version once" in moved.complaints
    assert site.execute("SELECT version_num FROM alembic_version") == [("0004",)]


async def test_no_database_is_made_where_none_is(site: ArchivedSite) -> None:
    file = site.settings.data_dir / "assistant.db"
    file.unlink()

    moved = await site.move()

    assert (moved.code, file.exists()) == (1, False)
    assert "There is no database" in moved.complaints


async def test_a_file_that_is_no_database_is_refused_in_plain_words(site: ArchivedSite) -> None:
    (site.settings.data_dir / "assistant.db").write_bytes(b"no database" * 1000)

    moved = await site.move()

    assert (moved.code, moved.complaints) == (
        1,
        "The database cannot be used (file is not a database).\n",
    )


async def test_a_thread_that_is_not_there_is_named(site: ArchivedSite) -> None:
    site.fill("a")
    await site.move()

    refused = await site.restore("thread_unknown", "thread_a")

    assert refused.code == 1
    assert refused.complaints == f"{site.place} holds no thread_unknown.\n"
    assert refused.out == "thread_a: restored\n"
