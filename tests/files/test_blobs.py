"""Bytes in a folder or in a database: once for each content, whole or not there at all."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamlit_assistant.files.blobs import PIECE_BYTES, TooLarge
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.files.blob_sites import MEGABYTE, Process, content, eventually

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def site(store: Store, tmp_path: Path, clock: FakeClock) -> Process:
    return await Process.begin(store, tmp_path / "files", clock)


async def test_what_is_kept_is_read_back_under_its_hash(site: Process) -> None:
    pieces = [bytes([n]) * 400_000 for n in range(9)]
    whole = b"".join(pieces)

    draft = await site.receive(*pieces)
    assert (draft.sha256, draft.bytes) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert (await site.drafts(), await site.kept()) == (1, [])

    file = await site.keep(draft)
    assert await content(site.blobs, file.sha256) == whole
    assert (await site.drafts(), await site.kept()) == (0, [draft.sha256])


async def test_an_empty_stream_is_an_empty_blob(site: Process) -> None:
    file = await site.keep(await site.receive(most_bytes=0))

    assert await content(site.blobs, file.sha256) == b""
    async with site.blobs.located(file.sha256) as path:
        assert path.read_bytes() == b""


async def test_the_same_content_is_stored_once(site: Process) -> None:
    files = [await site.add(b"same") for _ in range(2)]

    assert (await site.drafts(), await site.kept()) == (0, [files[0].sha256])
    assert await content(site.blobs, files[0].sha256) == b"same"


async def test_what_is_located_can_be_opened(site: Process) -> None:
    file = await site.add(b"some ", b"text")

    for _ in range(2):
        async with site.blobs.located(file.sha256) as path:
            assert path.read_bytes() == b"some text"


async def test_what_is_not_there_is_not_found(site: Process) -> None:
    with pytest.raises(FileNotFoundError):
        await content(site.blobs, "0" * 64)
    with pytest.raises(FileNotFoundError):
        async with site.blobs.located("0" * 64) as path:
            path.read_bytes()
    assert await site.drafts() == 0


async def test_only_bytes_that_no_row_refers_to_are_forgotten(site: Process) -> None:
    used, unused = await site.add(b"used"), await site.add(b"unused")
    await site.store.files.delete(unused.owner, unused.id)

    await site.blobs.forget([used.sha256, unused.sha256])

    assert await site.kept() == [used.sha256]
    assert await content(site.blobs, used.sha256) == b"used"
    with pytest.raises(FileNotFoundError):
        await content(site.blobs, unused.sha256)


async def test_a_row_that_is_refused_leaves_its_bytes_to_housekeeping(site: Process) -> None:
    draft = await site.receive(b"text")
    with pytest.raises(ValueError, match="refused"):
        async with draft.kept():
            raise ValueError("refused")
    await draft.discard()

    await site.blobs.keep_house()

    assert (await site.drafts(), await site.kept()) == (0, [])


async def test_a_draft_that_was_kept_is_not_discarded(site: Process) -> None:
    draft = await site.receive(b"text")
    file = await site.keep(draft)
    await draft.discard()

    assert await content(site.blobs, file.sha256) == b"text"


async def test_housekeeping_removes_what_a_killed_process_left(site: Process) -> None:
    kept = await site.add(b"kept")
    # Killed between the bytes and their row, or between a row's end and its bytes'.
    await site.store.files.delete(kept.owner, (left := await site.add(b"left")).id)
    draft = await site.receive(b"draft")

    await site.blobs.keep_house()

    assert await site.kept() == [kept.sha256] != [left.sha256]
    assert await content(site.blobs, kept.sha256) == b"kept"
    assert await site.drafts() == 1, "it may be a neighbour's"
    assert await content(site.blobs, (await site.keep(draft)).sha256) == b"draft"


async def test_too_many_bytes_are_refused_and_leave_nothing(site: Process) -> None:
    assert (await site.receive(b"12345", most_bytes=5)).bytes == 5
    with pytest.raises(TooLarge):
        await site.receive(b"12345", b"6", most_bytes=5)
    with pytest.raises(TooLarge):
        await site.receive(*[b"1" * MEGABYTE] * 3, most_bytes=3 * MEGABYTE - 1)

    assert await site.drafts() == 1


async def test_a_stream_that_breaks_leaves_no_draft(site: Process) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 3 * PIECE_BYTES
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await site.blobs.receive(breaking(), 10 * MEGABYTE)

    assert await site.drafts() == 0


async def test_a_cancelled_upload_leaves_no_draft(site: Process) -> None:
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * PIECE_BYTES
            arrived.set()

    receiving = asyncio.create_task(site.blobs.receive(endless(), 2**60))
    await arrived.wait()
    assert await site.drafts() == 1
    # Starlette cancels again and again while a client that has hung up is served.
    while not receiving.done():
        receiving.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert await site.drafts() == 0


async def test_who_reads_goes_on_reading_what_is_removed(site: Process) -> None:
    file = await site.add(b"a" * PIECE_BYTES, b"b" * 10)

    reading = site.blobs.read(file.sha256)
    first = await anext(reading)
    await site.store.files.delete(file.owner, file.id)
    await site.blobs.forget([file.sha256])
    rest = [piece async for piece in reading]

    assert (first, rest) == (b"a" * PIECE_BYTES, [b"b" * 10])
    assert await site.kept() == []


async def test_a_reader_that_stops_leaves_nothing_open(site: Process) -> None:
    file = await site.add(b"a" * PIECE_BYTES, b"b")
    reading = [site.blobs.read(file.sha256) for _ in range(5)]
    for pieces in reading:
        await anext(pieces)
    assert open_files(site) == 5

    del reading, pieces  # as of clients that have hung up: closed by the event loop
    await eventually(lambda: open_files(site) == 0)


def open_files(site: Process) -> int:
    """How many files of the site's folder this process holds open."""
    count = 0
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            count += str(handle.readlink()).startswith(str(site.folder))
    return count


async def test_forty_megabytes_pass_through_without_being_held(site: Process) -> None:
    async def large() -> AsyncIterator[bytes]:
        for n in range(640):
            yield bytes([n % 251]) * 65_536

    tracemalloc.start()
    try:
        draft = await site.blobs.receive(large(), 50 * MEGABYTE)
        file = await site.keep(draft)
        read = 0
        async for piece in site.blobs.read(file.sha256):
            read += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert read == 40 * MEGABYTE
    assert peak < 12 * MEGABYTE


async def test_the_same_content_at_once_is_stored_once(site: Process) -> None:
    drafts = [await site.receive(b"same") for _ in range(8)]

    files = await asyncio.gather(*(site.keep(draft) for draft in drafts))

    assert (await site.drafts(), await site.kept()) == (0, [files[0].sha256])
