"""Batches of files through the official client."""

import io

import openai
import pytest

from streamlit_assistant.api.polling import POLL_HEADER
from tests.file_factories import static


@pytest.fixture
def store_id(client: openai.OpenAI) -> str:
    return client.vector_stores.create().id


def upload(client: openai.OpenAI, count: int) -> list[str]:
    return [
        client.files.create(
            file=(f"{n}.txt", io.BytesIO(b"parrots %d" % n)), purpose="assistants"
        ).id
        for n in range(count)
    ]


def test_a_batch_is_made_and_waited_for(client: openai.OpenAI, store_id: str) -> None:
    ids = upload(client, 4)

    done = client.vector_stores.file_batches.create_and_poll(
        store_id, file_ids=ids, attributes={"set": "a"}
    )
    listed = list(
        client.vector_stores.file_batches.list_files(
            done.id, vector_store_id=store_id, limit=3, order="asc", filter="completed"
        )
    )

    assert (done.status, done.file_counts.completed, done.file_counts.total) == ("completed", 4, 4)
    assert [file.id for file in listed] == ids
    assert {str(file.attributes) for file in listed} == {"{'set': 'a'}"}


def test_files_of_a_batch_may_each_have_their_own_strategy(
    client: openai.OpenAI, store_id: str
) -> None:
    first, second = upload(client, 2)

    batch = client.vector_stores.file_batches.create_and_poll(
        store_id,
        files=[
            {"file_id": first, "attributes": {"n": 1}},
            {"file_id": second, "chunking_strategy": static(200, 10)},  # type: ignore[typeddict-item]
        ],
    )
    files = {
        file.id: file
        for file in client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store_id)
    }

    assert files[first].attributes == {"n": 1}
    assert files[first].to_dict()["chunking_strategy"] == static(800, 400)
    assert files[second].to_dict()["chunking_strategy"] == static(200, 10)


def test_uploading_a_batch_and_waiting_for_it_is_one_call(
    client: openai.OpenAI, store_id: str
) -> None:
    files = [(f"{n}.md", b"# parrots") for n in range(3)]

    done = client.vector_stores.file_batches.upload_and_poll(store_id, files=files)

    assert (done.status, done.file_counts.completed) == ("completed", 3)


def test_a_batch_whose_every_file_fails_has_failed(client: openai.OpenAI, store_id: str) -> None:
    done = client.vector_stores.file_batches.upload_and_poll(
        store_id, files=[("a.txt", b" \n"), ("b.pdf", b"%PDF-1.4 broken")]
    )

    assert (done.status, done.file_counts.failed) == ("failed", 2)


def test_cancelling_a_batch_leaves_the_rest_of_it_unindexed(
    client: openai.OpenAI, store_id: str
) -> None:
    ids = upload(client, 40)
    batches = client.vector_stores.file_batches
    batch = batches.create(store_id, file_ids=ids)

    cancelled = batches.cancel(batch.id, vector_store_id=store_id)
    again = batches.cancel(batch.id, vector_store_id=store_id)

    assert cancelled.status == again.status == "cancelled"
    assert (cancelled.file_counts.in_progress, cancelled.file_counts.total) == (0, 40)
    assert cancelled.file_counts.cancelled > 0
    store = client.vector_stores.retrieve(store_id)
    assert store.file_counts.cancelled == again.file_counts.cancelled
    assert store.status == "completed"


def test_whoever_polls_is_told_when_to_ask_again(client: openai.OpenAI, store_id: str) -> None:
    ids = upload(client, 20)
    stores = client.vector_stores
    batch = stores.file_batches.create(store_id, file_ids=ids)

    asked = (
        stores.file_batches.with_raw_response.retrieve(batch.id, vector_store_id=store_id),
        stores.with_raw_response.retrieve(store_id),
        stores.files.with_raw_response.retrieve(ids[-1], vector_store_id=store_id),
    )
    stores.file_batches.poll(batch.id, vector_store_id=store_id)
    done = stores.file_batches.with_raw_response.retrieve(batch.id, vector_store_id=store_id)

    assert [int(answer.headers[POLL_HEADER]) <= 1000 for answer in asked] == [True] * 3
    assert POLL_HEADER not in done.headers
