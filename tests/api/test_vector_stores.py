"""Vector stores through the official client: made, filled, searched, changed, deleted."""

import io
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.conftest import FakeClock, serve
from tests.file_factories import static

DAY = 86_400
HANDBOOK = (
    "# Handbook\n\nThe office opens at eight.\n\nParrots are fed twice a day with sunflower seeds."
)
Upload = Callable[..., str]


@pytest.fixture
def upload(client: openai.OpenAI) -> Upload:
    """Upload a text and return the file's id."""

    def put(text: str = HANDBOOK, name: str = "handbook.md") -> str:
        file = client.files.create(file=(name, io.BytesIO(text.encode())), purpose="assistants")
        return file.id

    return put


@pytest.fixture
def store_id(client: openai.OpenAI) -> str:
    return client.vector_stores.create(name="shelf").id


def put_in(client: openai.OpenAI, store_id: str, file_id: str, **options: object) -> None:
    done = client.vector_stores.files.create_and_poll(
        file_id,
        vector_store_id=store_id,
        **options,  # type: ignore[arg-type]
    )
    assert done.status == "completed", done.last_error


def test_a_vector_store_is_made_shown_changed_and_deleted(client: openai.OpenAI) -> None:
    made = client.vector_stores.create(name="手册", description="manuals", metadata={"team": "a"})
    changed = client.vector_stores.update(
        made.id, name="manuals", expires_after={"anchor": "last_active_at", "days": 3}
    )
    shown = client.vector_stores.retrieve(made.id)
    deleted = client.vector_stores.delete(made.id)

    assert (made.name, made.status, made.usage_bytes, made.expires_at) == (
        "手册",
        "completed",
        0,
        None,
    )
    assert changed.metadata == {"team": "a"}
    assert changed.expires_after is not None
    assert changed.expires_at == (changed.last_active_at or 0) + 3 * DAY
    assert shown == changed
    assert (deleted.id, deleted.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError, match=f"Vector store with id \\['{made.id}'\\]"):
        client.vector_stores.retrieve(made.id)


def test_expiry_and_metadata_can_be_taken_back(client: openai.OpenAI) -> None:
    made = client.vector_stores.create(
        expires_after={"anchor": "last_active_at", "days": 1}, metadata={"k": "v"}
    )

    changed = client.vector_stores.update(made.id, expires_after=None, metadata=None, name=None)

    assert (changed.expires_after, changed.expires_at) == (None, None)
    assert (changed.metadata, changed.name) == ({}, "")


def test_vector_stores_are_listed_page_by_page(client: openai.OpenAI) -> None:
    ids = [client.vector_stores.create(name=str(n)).id for n in range(5)]

    listed = [store.id for store in client.vector_stores.list(limit=2)][:5]
    ahead = client.vector_stores.list(before=ids[2], limit=2, order="asc")

    assert listed == ids[::-1]
    assert [store.id for store in ahead.data] == ids[:2]


def test_a_store_made_with_files_indexes_them(client: openai.OpenAI, upload: Upload) -> None:
    ids = [upload(), upload("第二份文件。", "二.txt"), upload("", "empty.txt")]

    made = client.vector_stores.create(file_ids=ids)
    for file_id in ids:
        client.vector_stores.files.poll(file_id, vector_store_id=made.id)
    done = client.vector_stores.retrieve(made.id)

    assert made.file_counts.total == 3
    assert (done.file_counts.completed, done.file_counts.failed) == (2, 1)
    assert done.status == "completed"
    assert done.usage_bytes >= len(HANDBOOK)


def test_what_is_in_the_files_is_found(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    file_id = upload()
    put_in(client, store_id, file_id, attributes={"year": 2026, "draft": False, "by": "ann"})

    page = client.vector_stores.search(store_id, query="What do parrots eat?")

    (found,) = page.data
    assert (found.file_id, found.filename) == (file_id, "handbook.md")
    assert found.attributes == {"year": 2026, "draft": False, "by": "ann"}
    assert 0 < found.score <= 1
    assert "sunflower" in found.content[0].text


def test_chinese_is_found_by_a_word_in_the_middle(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    put_in(client, store_id, upload("员工可以在七天内申请退货政策规定的退款。", "退货.txt"))

    page = client.vector_stores.search(store_id, query="退款怎么申请？", rewrite_query=True)

    assert [found.filename for found in page.data] == ["退货.txt"]
    assert page.search_query == ["退款 申请"]  # type: ignore[attr-defined]


def test_a_search_keeps_to_its_filter_number_and_threshold(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    for year in (2024, 2025, 2026):
        text = f"The parrot report of {year}. Parrots were counted."
        put_in(client, store_id, upload(text, f"{year}.txt"), attributes={"year": year})

    def names(**options: object) -> set[str]:
        page = client.vector_stores.search(store_id, query="parrots", **options)  # type: ignore[arg-type]
        return {found.filename for found in page.data}

    recent = {"type": "gte", "key": "year", "value": 2025}
    last = {"type": "in", "key": "year", "value": [2026, 1999]}
    assert names() == {"2024.txt", "2025.txt", "2026.txt"}
    assert names(filters=recent) == {"2025.txt", "2026.txt"}
    assert names(filters={"type": "and", "filters": [recent, last]}) == {"2026.txt"}
    assert len(names(max_num_results=2)) == 2
    assert names(ranking_options={"score_threshold": 1.0, "ranker": "auto"}) <= names()


def test_several_queries_are_searched_at_once(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    put_in(client, store_id, upload("All about parrots.", "parrots.txt"))
    put_in(client, store_id, upload("All about submarines.", "submarines.txt"))

    page = client.vector_stores.search(store_id, query=["parrots", "submarines"])

    assert {found.filename for found in page.data} == {"parrots.txt", "submarines.txt"}


def test_files_are_listed_by_status_and_page(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    ids = [upload(f"text {n}", f"{n}.txt") for n in range(3)]
    for file_id in ids:
        put_in(client, store_id, file_id)
    client.vector_stores.files.create_and_poll(upload("", "no.txt"), vector_store_id=store_id)

    files = client.vector_stores.files
    failed = files.list(store_id, filter="failed").data
    listed = [file.id for file in files.list(store_id, filter="completed", limit=1, order="asc")]

    assert listed == ids
    assert [file.last_error.code for file in failed if file.last_error] == ["invalid_file"]


def test_attributes_are_replaced_and_searched_by(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    file_id = upload()
    put_in(client, store_id, file_id, attributes={"old": True})

    changed = client.vector_stores.files.update(
        file_id, vector_store_id=store_id, attributes={"lang": "en"}
    )
    page = client.vector_stores.search(
        store_id, query="parrots", filters={"type": "eq", "key": "lang", "value": "en"}
    )

    assert changed.attributes == {"lang": "en"}
    assert changed.status == "completed"
    assert len(page.data) == 1


def test_a_file_taken_out_is_not_found_any_more_but_stays_in_the_library(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    file_id = upload()
    put_in(client, store_id, file_id)

    deleted = client.vector_stores.files.delete(file_id, vector_store_id=store_id)

    assert (deleted.id, deleted.deleted) == (file_id, True)
    assert client.vector_stores.search(store_id, query="parrots").data == []
    assert client.vector_stores.retrieve(store_id).file_counts.total == 0
    assert client.files.retrieve(file_id).id == file_id


def test_a_deleted_file_leaves_the_store(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    file_id = upload()
    put_in(client, store_id, file_id)

    client.files.delete(file_id)

    found = client.vector_stores.retrieve(store_id)
    assert (found.file_counts.total, found.usage_bytes) == (0, 0)
    assert client.vector_stores.search(store_id, query="parrots").data == []


def test_the_text_of_a_file_is_shown(client: openai.OpenAI, store_id: str, upload: Upload) -> None:
    file_id = upload()
    put_in(client, store_id, file_id, chunking_strategy=static(100, 0))

    page = client.vector_stores.files.content(file_id, vector_store_id=store_id)

    assert "".join(part.text or "" for part in page.data) == HANDBOOK
    assert {part.type for part in page.data} == {"text"}


def test_a_long_text_is_shown_page_by_page(
    client: openai.OpenAI, store_id: str, upload: Upload
) -> None:
    text = "\n\n".join(f"Paragraph {n} tells of parrots and their food." * 6 for n in range(2500))
    file_id = upload(text, "long.txt")
    put_in(client, store_id, file_id, chunking_strategy=static(100, 10))
    path = f"/vector_stores/{store_id}/files/{file_id}/content"
    pages: list[Any] = []
    while not pages or pages[-1]["has_more"]:
        following = f"?page={pages[-1]['next_page']}" if pages else ""
        pages.append(client.get(path + following, cast_to=httpx2.Response).json())

    shown = [part["text"] for page in pages for part in page["data"]]
    assert len(pages) > 1
    assert pages[-1]["next_page"] is None
    assert "".join("".join(shown).split()) == "".join(text.split())


def test_uploading_a_file_and_waiting_for_it_is_one_call(
    client: openai.OpenAI, store_id: str
) -> None:
    done = client.vector_stores.files.upload_and_poll(
        vector_store_id=store_id, file=("a.txt", b"parrots")
    )

    assert done.status == "completed"
    assert done.to_dict()["chunking_strategy"] == static(800, 400)


def test_a_store_that_has_expired_says_so_and_is_not_searched(
    settings: Settings, clock: FakeClock
) -> None:
    with serve(settings, clock=clock) as live:
        client = live.client()
        made = client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 1})
        client.vector_stores.search(made.id, query="x")
        clock.now += DAY

        assert client.vector_stores.retrieve(made.id).status == "expired"
        with pytest.raises(openai.BadRequestError, match="has expired"):
            client.vector_stores.search(made.id, query="x")


def test_searching_puts_off_expiry(settings: Settings, clock: FakeClock) -> None:
    with serve(settings, clock=clock) as live:
        client = live.client()
        made = client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 2})
        clock.now += DAY
        client.vector_stores.search(made.id, query="x")

        shown = client.vector_stores.retrieve(made.id)
        assert shown.expires_at == clock.now + 2 * DAY


def test_what_waits_when_the_server_ends_is_indexed_by_the_next(settings: Settings) -> None:
    with serve(settings) as live:
        client = live.client()
        files = [
            client.files.create(file=(f"{n}.txt", b"parrots"), purpose="assistants").id
            for n in range(20)
        ]
        made = client.vector_stores.create(file_ids=files)
    with serve(settings) as live:
        client = live.client()
        for file_id in files:
            client.vector_stores.files.poll(file_id, vector_store_id=made.id)

        assert client.vector_stores.retrieve(made.id).file_counts.completed == 20
