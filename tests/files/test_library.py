"""The library: rows and bytes in step, owners apart, and nothing after its time."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamlit_assistant.errors import InvalidRequest, NotFound, ServerFault
from streamlit_assistant.file_records import File, UploadPart
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.records import PageQuery
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.factories import OWNER, make_assistant, make_thread
from tests.file_factories import add_vector_store, make_store_file
from tests.files.blob_sites import Process, stream

pytestmark = pytest.mark.both_databases

DAY = 24 * 3600


@pytest.fixture
async def site(store: Store, tmp_path: Path, clock: FakeClock) -> Process:
    return await Process.begin(store, tmp_path / "files", clock)


@pytest.fixture
def library(site: Process) -> FileLibrary:
    return site.library


async def add(library: FileLibrary, content: bytes = b"text", owner: str = OWNER) -> File:
    return await library.add(owner, "a.txt", "assistants", stream(content))


async def content(library: FileLibrary, file: File) -> bytes:
    return b"".join([piece async for piece in await library.read(file)])


async def new_upload(library: FileLibrary, size: int, purpose: str = "assistants") -> str:
    upload = await library.create_upload(OWNER, "b.txt", purpose, size, "text/plain")
    return upload.id


async def add_part(library: FileLibrary, upload_id: str, data: bytes) -> UploadPart:
    return await library.add_part(OWNER, upload_id, await library.receive(stream(data)))


async def test_a_file_is_read_as_it_was_written(library: FileLibrary) -> None:
    file = await add(library, b"some text")

    assert await library.get(OWNER, file.id) == file
    assert (file.bytes, await content(library, file)) == (9, b"some text")
    async with library.located(file) as path:
        assert path.read_bytes() == b"some text"


async def test_a_file_that_is_deleted_is_read_whole_or_not_at_all(library: FileLibrary) -> None:
    file = await add(library, b"some text")
    pieces = await library.read(file)
    await library.delete(OWNER, file.id)

    assert b"".join([piece async for piece in pieces]) == b"some text"
    with pytest.raises(NotFound, match=file.id):
        await library.read(file)


async def test_two_owners_never_see_each_others_files(library: FileLibrary) -> None:
    mine, theirs = await add(library), await add(library, owner="other")

    for owner, file in ((OWNER, theirs), ("other", mine)):
        with pytest.raises(NotFound, match=f"No such File object: {file.id}"):
            await library.get(owner, file.id)
        with pytest.raises(NotFound):
            await library.delete(owner, file.id)
        with pytest.raises(NotFound):
            await library.page(owner, PageQuery(after=file.id))
    assert (await library.page(OWNER, PageQuery())).items == [mine]


async def test_an_upload_of_another_owner_is_unknown(library: FileLibrary) -> None:
    upload_id = await new_upload(library, 4)
    part = await add_part(library, upload_id, b"part")

    with pytest.raises(NotFound):
        await library.add_part("other", upload_id, await library.receive(stream(b"part")))
    with pytest.raises(NotFound):
        await library.complete("other", upload_id, [part.id])
    with pytest.raises(NotFound):
        await library.cancel("other", upload_id)
    completed, file = await library.complete(OWNER, upload_id, [part.id])
    assert completed.file_id == file.id


async def test_deleting_a_file_leaves_the_same_content_of_another(
    library: FileLibrary, site: Process
) -> None:
    mine, theirs = await add(library), await add(library, owner="other")
    assert len(await site.kept()) == 1

    await library.delete(OWNER, mine.id)
    assert await content(library, theirs) == b"text"

    await library.delete("other", theirs.id)
    assert await site.kept() == []


async def test_a_file_deleted_before_it_is_opened_is_unknown(library: FileLibrary) -> None:
    file = await add(library)
    await library.delete(OWNER, file.id)

    with pytest.raises(NotFound, match=file.id):
        async with library.located(file) as path:
            path.read_bytes()


async def test_deleting_a_file_takes_it_from_code_interpreters(
    library: FileLibrary, store: Store
) -> None:
    file, kept = await add(library), await add(library)
    resources = {"code_interpreter": {"file_ids": [file.id, kept.id]}, "file_search": {}}
    left = {"code_interpreter": {"file_ids": [kept.id]}, "file_search": {}}
    assistant = await store.assistants.add(make_assistant(tool_resources=resources))
    thread = await store.threads.add(make_thread(tool_resources=resources))
    foreign = await store.threads.add(make_thread(owner="other", tool_resources=resources))

    await library.delete(OWNER, file.id)

    assert (await store.assistants.get(OWNER, assistant.id)).tool_resources == left
    assert (await store.threads.get(OWNER, thread.id)).tool_resources == left
    assert (await store.threads.get("other", foreign.id)).tool_resources == resources


async def test_deleting_a_file_takes_it_out_of_vector_stores(
    library: FileLibrary, store: Store
) -> None:
    file = await add(library)
    vector_store_id, _ = await add_vector_store(store, count=1)
    await store.vector_store_files.add(OWNER, make_store_file(file.id, vector_store_id))
    assert (await store.vector_stores.get(OWNER, vector_store_id)).in_progress == 2

    await library.delete(OWNER, file.id)

    assert (await store.vector_stores.get(OWNER, vector_store_id)).in_progress == 1
    with pytest.raises(NotFound):
        await store.vector_store_files.get(vector_store_id, file.id)


async def test_a_full_disk_is_named_and_logged(
    library: FileLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    async def filling() -> AsyncIterator[bytes]:
        yield b"x"
        raise OSError(errno.ENOSPC, "no space left")

    with caplog.at_level(logging.ERROR), pytest.raises(ServerFault, match="no room left"):
        await library.add(OWNER, "a.txt", "assistants", filling())

    assert "no space left" in caplog.text


async def test_an_expired_file_is_unknown_before_it_is_removed(
    library: FileLibrary, site: Process, clock: FakeClock
) -> None:
    file = await library.add(OWNER, "a.txt", "vision", stream(b"x"), expires_after=3600)
    clock.now += 3599
    assert file.expires_at == file.created_at + 3600
    assert await library.get(OWNER, file.id) == file

    clock.now += 1
    with pytest.raises(NotFound):
        await library.get(OWNER, file.id)
    with pytest.raises(NotFound):
        await library.delete(OWNER, file.id)
    assert (await library.page(OWNER, PageQuery())).items == []
    assert len(await site.kept()) == 1

    await library.keep_house()
    assert await site.kept() == []


async def test_files_for_batches_expire_after_thirty_days_others_never(
    library: FileLibrary,
) -> None:
    batch = await library.add(OWNER, "a.jsonl", "batch", stream(b"{}"))

    assert batch.expires_at == batch.created_at + 30 * DAY
    assert (await add(library)).expires_at is None


async def test_housekeeping_removes_bytes_that_a_crash_left(
    library: FileLibrary, site: Process
) -> None:
    file = await add(library)
    left = await site.add(b"nobody's")
    await site.store.files.delete(left.owner, left.id)
    upload_id = await new_upload(library, 4)
    await add_part(library, upload_id, b"part")

    await library.keep_house()

    assert len(await site.kept()) == 2
    assert await content(library, file) == b"text"


async def test_parts_are_joined_in_the_order_of_completion(
    library: FileLibrary, site: Process
) -> None:
    upload_id = await new_upload(library, 9)
    last, first, _ = await asyncio.gather(
        *(add_part(library, upload_id, data) for data in (b"lines", b"two ", b"unused"))
    )

    completed, file = await library.complete(
        OWNER, upload_id, [first.id, last.id], "c9159db397e9e4331bbda8dbd9413528".upper()
    )

    assert await content(library, file) == b"two lines"
    assert await library.get(OWNER, file.id) == file
    assert (completed.file_id, file.bytes, file.filename) == (file.id, 9, "b.txt")
    assert await site.kept() == [file.sha256], "the parts are gone"


async def test_a_completion_that_is_refused_can_be_tried_again(library: FileLibrary) -> None:
    upload_id = await new_upload(library, 4)
    part, other = [await add_part(library, upload_id, data) for data in (b"part", b"more")]

    for part_ids, md5, said in (
        (["part_unknown"], None, "No such Part object"),
        ([part.id, part.id], None, f"{part.id} is named more than once"),
        ([], None, "have 0 bytes together, but the upload was created for 4 bytes"),
        ([part.id, other.id], None, "have 8 bytes together"),
        ([part.id], "0" * 32, "md5 checksum"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            await library.complete(OWNER, upload_id, part_ids, md5)

    _, file = await library.complete(OWNER, upload_id, [part.id])
    assert await content(library, file) == b"part"


@pytest.mark.parametrize("end", ["complete", "cancel"])
async def test_an_upload_that_has_ended_takes_nothing_more(
    library: FileLibrary, site: Process, end: str
) -> None:
    upload_id = await new_upload(library, 4)
    part = await add_part(library, upload_id, b"part")
    if end == "complete":
        await library.complete(OWNER, upload_id, [part.id])
    else:
        await library.cancel(OWNER, upload_id)

    status = {"complete": "completed", "cancel": "cancelled"}[end]
    with pytest.raises(InvalidRequest, match=f"is {status}"):
        await add_part(library, upload_id, b"late")
    with pytest.raises(InvalidRequest, match=f"is {status}"):
        await library.complete(OWNER, upload_id, [part.id])
    with pytest.raises(InvalidRequest, match=f"is {status}"):
        await library.cancel(OWNER, upload_id)
    assert len(await site.kept()) == (1 if end == "complete" else 0)


async def test_one_of_two_completions_at_once_wins(library: FileLibrary) -> None:
    upload_id = await new_upload(library, 4)
    part = await add_part(library, upload_id, b"part")

    ends = await asyncio.gather(
        *(library.complete(OWNER, upload_id, [part.id]) for _ in range(2)),
        return_exceptions=True,
    )

    assert sorted(isinstance(end, InvalidRequest) for end in ends) == [False, True]
    (file,) = (await library.page(OWNER, PageQuery())).items
    assert await content(library, file) == b"part"


async def test_an_expired_upload_is_unknown_and_its_parts_are_removed(
    library: FileLibrary, site: Process, clock: FakeClock
) -> None:
    upload_id = await new_upload(library, 4)
    part = await add_part(library, upload_id, b"part")

    clock.now += 3600
    with pytest.raises(NotFound, match=f"No such Upload object: {upload_id}"):
        await library.complete(OWNER, upload_id, [part.id])
    await library.keep_house()

    assert await site.kept() == []


async def test_the_time_of_an_uploaded_file_begins_with_its_completion(
    library: FileLibrary, clock: FakeClock
) -> None:
    upload = await library.create_upload(OWNER, "b", "batch", 1, "", expires_after=7200)
    part = await add_part(library, upload.id, b"x")
    clock.now += 60

    _, file = await library.complete(OWNER, upload.id, [part.id])

    assert file.expires_at == upload.created_at + 60 + 7200
