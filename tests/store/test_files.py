"""Files and uploads in the database."""

import pytest
from sqlalchemy import text

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.file_records import Upload, UploadPart
from streamlit_assistant.records import PageQuery, new_id
from streamlit_assistant.store import Store
from streamlit_assistant.store.files import MOST_AT_ONCE
from tests.factories import OWNER
from tests.file_factories import NOW, add_files, make_file

pytestmark = pytest.mark.both_databases


async def add_upload(store: Store) -> str:
    upload = Upload(new_id("upload"), OWNER, NOW, NOW + 3600, "a.txt", "assistants", 4, "")
    return (await store.uploads.add(upload)).id


def make_part(upload_id: str, size: int = 4, sha256: str = "1" * 64) -> UploadPart:
    return UploadPart(new_id("part"), upload_id, NOW, size, sha256)


async def test_a_file_comes_back_as_it_was_stored(store: Store) -> None:
    file = make_file(filename="报告.pdf", bytes=5 * 2**40, expires_at=NOW + 1)

    assert await store.files.add(file) == file
    assert await store.files.get(OWNER, file.id, NOW) == file


async def test_many_files_are_found_by_name_and_only_the_owners(store: Store) -> None:
    mine = await add_files(store, 3)
    theirs = await add_files(store, 1, owner="other")
    over = await add_files(store, 1, expires_at=NOW)
    unknown = [new_id("file") for _ in range(2 * MOST_AT_ONCE)]

    found = await store.files.get_all(OWNER, [mine[0], *unknown, mine[2], *theirs, *over], NOW)

    assert {file.id for file in found} == {mine[0], mine[2]}


async def test_a_page_holds_one_purpose_if_it_is_asked_for(store: Store) -> None:
    images = await add_files(store, 2, purpose="vision")
    await add_files(store, 1)

    page = await store.files.page(OWNER, PageQuery(order="asc"), NOW, "vision")

    assert [file.id for file in page.items] == images


async def test_what_no_file_and_no_part_refers_to_is_unused(store: Store) -> None:
    many = [f"{n:064}" for n in range(MOST_AT_ONCE + 10)]
    await add_files(store, 1, sha256=many[0])
    await add_files(store, 1, sha256=many[-1], owner="other")
    await store.uploads.add_part(OWNER, make_part(await add_upload(store), 1, many[1]), NOW, 9)

    assert await store.files.unused(many) == many[2:-1]
    assert await store.files.unused([]) == []


async def test_the_parts_of_an_upload_have_a_limit_together(store: Store) -> None:
    upload_id = await add_upload(store)
    first, second = make_part(upload_id, 6), make_part(upload_id, 4)
    await store.uploads.add_part(OWNER, first, NOW, 10)
    await store.uploads.add_part(OWNER, second, NOW, 10)

    with pytest.raises(InvalidRequest, match="at most 10 bytes together"):
        await store.uploads.add_part(OWNER, make_part(upload_id, 1), NOW, 10)
    assert await store.uploads.parts(upload_id) == [first, second]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM files WHERE owner = 'o' AND (expires_at IS NULL OR expires_at > 1) "
        "ORDER BY seq DESC LIMIT 20",
        "SELECT * FROM files WHERE expires_at <= 1",
        "SELECT sha256 FROM files WHERE sha256 IN ('a', 'b')",
        "SELECT sha256 FROM upload_parts WHERE sha256 IN ('a', 'b')",
        "DELETE FROM uploads WHERE expires_at <= 1",
        "SELECT seq FROM threads WHERE owner = 'o' AND tool_resources LIKE '%file-x%'",
        "SELECT seq FROM assistants WHERE owner = 'o' AND tool_resources LIKE '%file-x%'",
    ],
)
async def test_no_query_reads_a_whole_table(sqlite_store: Store, statement: str) -> None:
    async with sqlite_store._database.read() as connection:
        plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))).all()

    assert all("USING" in row[-1] for row in plan if row[-1].startswith(("SCAN", "SEARCH"))), plan
    assert not any("TEMP B-TREE" in row[-1] for row in plan)
