"""Bytes on disk: once for each content, private, whole or not there at all."""

import asyncio
import hashlib
import stat
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamlit_assistant.errors import StartError
from streamlit_assistant.files.blobs import PIECE_BYTES, BlobStore, TooLarge

MEGABYTE = 1024 * 1024


@pytest.fixture
async def blobs(tmp_path: Path) -> BlobStore:
    opened = BlobStore(tmp_path / "files")
    await opened.open()
    return opened


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def drafts(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "files" / "incoming").iterdir())


async def content(blobs: BlobStore, sha256: str) -> bytes:
    return b"".join([piece async for piece in blobs.read(sha256)])


async def test_what_is_kept_lies_under_its_hash_and_is_read_back(blobs: BlobStore) -> None:
    pieces = [bytes([n]) * 400_000 for n in range(9)]

    draft = await blobs.receive(stream(*pieces), 10 * MEGABYTE)
    await blobs.keep(draft)

    whole = b"".join(pieces)
    assert (draft.sha256, draft.bytes) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert await content(blobs, draft.sha256) == whole
    assert blobs.path(draft.sha256).parts[-3:] == ("blobs", draft.sha256[:2], draft.sha256)


async def test_an_empty_stream_is_an_empty_blob(blobs: BlobStore) -> None:
    draft = await blobs.receive(stream(), 0)
    await blobs.keep(draft)

    assert await content(blobs, draft.sha256) == b""


async def test_the_same_content_is_stored_once(blobs: BlobStore, tmp_path: Path) -> None:
    for _ in range(2):
        await blobs.keep(await blobs.receive(stream(b"same"), 10))

    assert len(await blobs.names()) == 1
    assert drafts(tmp_path) == []


async def test_files_and_folders_are_private(blobs: BlobStore, tmp_path: Path) -> None:
    kept = await blobs.receive(stream(b"kept"), 10)
    await blobs.keep(kept)
    await blobs.receive(stream(b"draft"), 10)

    paths = [tmp_path / "files", *(tmp_path / "files").rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes == {True: 0o700, False: 0o600}


async def test_too_many_bytes_are_refused_and_leave_nothing(
    blobs: BlobStore, tmp_path: Path
) -> None:
    assert (await blobs.receive(stream(b"12345"), 5)).bytes == 5
    with pytest.raises(TooLarge):
        await blobs.receive(stream(b"12345", b"6"), 5)

    assert len(drafts(tmp_path)) == 1


async def test_a_stream_that_breaks_leaves_no_draft(blobs: BlobStore, tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 3 * PIECE_BYTES
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await blobs.receive(breaking(), 10 * MEGABYTE)

    assert drafts(tmp_path) == []


async def test_a_cancelled_upload_leaves_no_draft(blobs: BlobStore, tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * PIECE_BYTES
            arrived.set()

    receiving = asyncio.create_task(blobs.receive(endless(), 2**60))
    await arrived.wait()
    assert len(drafts(tmp_path)) == 1
    receiving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert drafts(tmp_path) == []


async def test_opening_removes_the_drafts_of_a_killed_process(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "files")
    await blobs.open()
    await blobs.keep(await blobs.receive(stream(b"kept"), 10))
    await blobs.receive(stream(b"left"), 10)

    await BlobStore(tmp_path / "files").open()

    assert drafts(tmp_path) == []
    assert len(await blobs.names()) == 1


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")

    with pytest.raises(StartError, match="files cannot be used"):
        await BlobStore(tmp_path / "files").open()


async def test_who_reads_goes_on_reading_what_is_removed(blobs: BlobStore) -> None:
    draft = await blobs.receive(stream(b"a" * PIECE_BYTES, b"b" * 10), 2 * MEGABYTE)
    await blobs.keep(draft)

    reading = blobs.read(draft.sha256)
    first = await anext(reading)
    await blobs.remove(draft.sha256)
    rest = [piece async for piece in reading]

    assert (first, rest) == (b"a" * PIECE_BYTES, [b"b" * 10])
    assert await blobs.names() == []


async def test_forty_megabytes_pass_through_without_being_held(blobs: BlobStore) -> None:
    async def large() -> AsyncIterator[bytes]:
        for n in range(640):
            yield bytes([n % 251]) * 65_536

    tracemalloc.start()
    try:
        draft = await blobs.receive(large(), 50 * MEGABYTE)
        await blobs.keep(draft)
        read = 0
        async for piece in blobs.read(draft.sha256):
            read += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert read == 40 * MEGABYTE
    assert peak < 6 * MEGABYTE
