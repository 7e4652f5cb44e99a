"""The folder of blobs on disk: private, and used by several processes of one machine at once."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import StartError
from streamlit_assistant.files.blobs import DRAFT_SECONDS, PIECE_BYTES, gathered
from streamlit_assistant.files.folder_blobs import FolderBlobs
from streamlit_assistant.files.folder_lock import FolderLock
from streamlit_assistant.store import Store
from streamlit_assistant.store.database import ALONGSIDE
from tests.conftest import FakeClock
from tests.factories import OWNER
from tests.files.blob_sites import LONGEST_WAIT, Process, content, stream

# What a neighbour does who takes the lock and is killed, or stopped, while holding it.
HOLDER = """
import fcntl, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
async def site(store: Store, tmp_path: Path, clock: FakeClock) -> Process:
    return await Process.begin(store, tmp_path / "files", clock)


@pytest.mark.parametrize("size", [1, 1000, PIECE_BYTES, 3 * PIECE_BYTES + 1])
async def test_a_stream_is_cut_to_pieces_of_one_size(size: int) -> None:
    whole = bytes(range(256)) * 9000 if size > 1 else b"abc"
    cut = stream(*(whole[at : at + size] for at in range(0, len(whole), size)))

    pieces = [piece async for piece in gathered(cut)]

    assert b"".join(pieces) == whole
    assert {len(piece) for piece in pieces[:-1]} <= {PIECE_BYTES}
    assert 0 < len(pieces[-1]) <= PIECE_BYTES


async def test_a_blob_lies_under_its_hash(site: Process) -> None:
    file = await site.add(b"text")

    async with site.blobs.located(file.sha256) as path:
        assert path == site.folder / "blobs" / file.sha256[:2] / file.sha256


async def test_files_and_folders_are_private(site: Process) -> None:
    await site.add(b"kept")
    await site.receive(b"draft")

    paths = [site.folder, *site.folder.rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes == {True: 0o700, False: 0o600}


async def test_a_folder_that_cannot_be_made_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")

    with pytest.raises(StartError, match="files cannot be used"):
        await FolderBlobs(tmp_path / "files", store.files).open()


@pytest.mark.parametrize("when", ["opening", "keeping house"])
async def test_a_draft_is_removed_after_a_day_and_not_before(site: Process, when: str) -> None:
    drafts = [await site.receive(b"a neighbour's"), await site.receive(b"of a killed one")]
    second = sorted((site.folder / "incoming").iterdir(), key=lambda path: path.stat().st_size)[1]
    age(second, DRAFT_SECONDS + 1)
    age(other(site, second), DRAFT_SECONDS - 60)

    if when == "opening":
        await FolderBlobs(site.folder, site.store.files).open()
    else:
        await site.blobs.keep_house()

    assert await site.drafts() == 1
    file = await site.keep(drafts[0])
    assert await content(site.blobs, file.sha256) == b"a neighbour's"


def age(path: Path, seconds: float) -> None:
    """Let a file have been written so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def other(site: Process, path: Path) -> Path:
    """The other of two drafts."""
    (found,) = set((site.folder / "incoming").iterdir()) - {path}
    return found


class PausingRows:
    """Says which bytes are unused, and waits before it says so a second time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked = 0
        self.paused = asyncio.Event()
        self.go_on = asyncio.Event()

    async def unused(self, hashes: Collection[str]) -> list[str]:
        found = await self._store.files.unused(hashes)
        self._asked += 1
        if self._asked == 2:
            self.paused.set()
            await self.go_on.wait()
        return found


async def test_bytes_added_while_a_neighbour_removes_the_same_survive(site: Process) -> None:
    old = await site.add(b"text")
    await site.store.files.delete(old.owner, old.id)
    rows = PausingRows(site.store)
    # A lock of the event loop would not keep these two apart.
    removing = asyncio.create_task(FolderBlobs(site.folder, rows).forget([old.sha256]))
    await asyncio.wait_for(rows.paused.wait(), LONGEST_WAIT)

    adding = asyncio.create_task(site.add(b"text"))
    await asyncio.sleep(0.05)
    assert not adding.done(), "it waits for the neighbour"
    rows.go_on.set()
    await removing
    new = await adding

    assert await content(site.blobs, new.sha256) == b"text"


class ThreadPause:
    """Stops a transaction just before its end, in the thread of the database."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, _connection: AsyncConnection) -> None:
        self.reached.set()
        self.go_on.wait(LONGEST_WAIT)

    async def during(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do work whose transaction is stopped."""
        ALONGSIDE.set(self)
        return await work


async def test_a_cancelled_addition_ends_before_others_may_remove_its_bytes(site: Process) -> None:
    draft = await site.receive(b"text")
    pause = ThreadPause()
    adding = asyncio.create_task(
        pause.during(site.library.keep(OWNER, "a.txt", "assistants", draft))
    )
    await asyncio.to_thread(pause.reached.wait, LONGEST_WAIT)
    adding.cancel()

    neighbour = FolderBlobs(site.folder, site.store.files)
    removing = asyncio.create_task(neighbour.forget([draft.sha256]))
    await asyncio.sleep(0.05)
    assert not removing.done(), "it waits for the row, which nobody can stop any more"
    pause.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await adding
    await removing

    assert await site.store.files.unused([draft.sha256]) == []
    assert await content(site.blobs, draft.sha256) == b"text"


async def test_one_is_let_in_at_a_time(tmp_path: Path) -> None:
    inside = 0
    most = 0

    async def enter(lock: FolderLock) -> None:
        nonlocal inside, most
        for _ in range(5):
            async with lock.held():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1

    locks = [FolderLock(tmp_path / "lock") for _ in range(3)]
    await asyncio.gather(*(enter(lock) for lock in locks for _ in range(2)))

    assert most == 1


@contextmanager
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock."""
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


async def test_what_a_killed_process_held_is_free(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")
    entered = asyncio.Event()

    async def enter() -> None:
        async with lock.held():
            entered.set()

    with holder(tmp_path / "lock") as process:
        entering = asyncio.create_task(enter())
        await asyncio.sleep(0.05)
        assert not entered.is_set()
        process.kill()
        await asyncio.wait_for(entering, LONGEST_WAIT)


async def test_who_waits_for_a_stopped_neighbour_can_be_cancelled(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")

    async def enter() -> None:
        async with lock.held():
            pass

    with holder(tmp_path / "lock") as process:
        process.send_signal(signal.SIGSTOP)
        entering = asyncio.create_task(enter())
        await asyncio.sleep(0.05)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(entering, LONGEST_WAIT)
    await asyncio.wait_for(enter(), LONGEST_WAIT)
