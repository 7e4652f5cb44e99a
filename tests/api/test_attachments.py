"""Files attached to messages and given with threads and assistants, through the official client."""

from typing import Any

import openai
import pytest
from openai.types.beta import Thread

ASSISTANT = "asst_default"
SEARCH: list[Any] = [{"type": "file_search"}]


@pytest.fixture
def file_id(client: openai.OpenAI) -> str:
    return client.files.create(file=("a.txt", b"About parrots."), purpose="assistants").id


def store_of(thread: Thread) -> str:
    resources = thread.tool_resources
    assert resources is not None and resources.file_search is not None
    return (resources.file_search.vector_store_ids or [])[0]


def found(client: openai.OpenAI, store_id: str, file_id: str) -> bool:
    done = client.vector_stores.files.poll(file_id, vector_store_id=store_id)
    return done.status == "completed" and bool(
        client.vector_stores.search(store_id, query="parrots").data
    )


def test_a_thread_may_begin_with_an_attached_file(client: openai.OpenAI, file_id: str) -> None:
    attachment: Any = {"file_id": file_id, "tools": SEARCH}
    made = client.beta.threads.create(
        messages=[{"role": "user", "content": "look", "attachments": [attachment]}]
    )
    thread = client.beta.threads.retrieve(made.id)

    (message,) = client.beta.threads.messages.list(thread.id).data
    assert message.attachments is not None
    assert message.attachments[0].file_id == file_id
    store = client.vector_stores.retrieve(store_of(thread))
    assert store.expires_after is not None
    assert store.expires_after.days == 7
    assert found(client, store.id, file_id)


def test_what_a_message_or_a_run_brings_joins_the_threads_store(
    client: openai.OpenAI, file_id: str
) -> None:
    thread = client.beta.threads.create()
    other = client.files.create(file=("b.txt", b"More parrots."), purpose="assistants").id
    client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="look",
        attachments=[{"file_id": file_id, "tools": SEARCH}],
    )
    attachment: Any = {"file_id": other, "tools": [*SEARCH, {"type": "code_interpreter"}]}
    client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=ASSISTANT,
        additional_messages=[{"role": "user", "content": "and here", "attachments": [attachment]}],
    )
    thread = client.beta.threads.retrieve(thread.id)

    assert found(client, store_of(thread), file_id)
    assert found(client, store_of(thread), other)
    assert thread.tool_resources is not None
    assert thread.tool_resources.code_interpreter is not None
    assert thread.tool_resources.code_interpreter.file_ids == [other]


def test_an_unknown_file_stores_no_message(client: openai.OpenAI) -> None:
    thread = client.beta.threads.create()

    with pytest.raises(openai.NotFoundError, match="No such File object: file-no"):
        client.beta.threads.messages.create(
            thread.id,
            role="user",
            content="look",
            attachments=[{"file_id": "file-no", "tools": SEARCH}],
        )

    assert client.beta.threads.messages.list(thread.id).data == []


def test_a_thread_may_be_made_with_a_vector_store_of_its_own(
    client: openai.OpenAI, file_id: str
) -> None:
    thread = client.beta.threads.create(
        tool_resources={
            "file_search": {
                "vector_stores": [
                    {
                        "file_ids": [file_id],
                        "metadata": {"k": "v"},
                        "chunking_strategy": {"type": "auto"},
                    }
                ]
            },
            "code_interpreter": {"file_ids": [file_id]},
        }
    )

    store = client.vector_stores.retrieve(store_of(thread))
    assert store.metadata == {"k": "v"}
    assert store.expires_after is not None
    assert found(client, store.id, file_id)


def test_an_assistants_store_does_not_expire(client: openai.OpenAI, file_id: str) -> None:
    assistant = client.beta.assistants.create(
        model="m",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_stores": [{"file_ids": [file_id]}]}},
    )

    assert assistant.tool_resources is not None
    assert assistant.tool_resources.file_search is not None
    store_id = (assistant.tool_resources.file_search.vector_store_ids or [])[0]
    assert client.vector_stores.retrieve(store_id).expires_at is None
    assert found(client, store_id, file_id)


def test_tool_resources_must_exist(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Vector store with id \['vs_no'\] not found"):
        client.beta.threads.create(tool_resources={"file_search": {"vector_store_ids": ["vs_no"]}})
    with pytest.raises(openai.NotFoundError, match="No such File object: file-no"):
        client.beta.threads.create(tool_resources={"code_interpreter": {"file_ids": ["file-no"]}})
    with pytest.raises(openai.NotFoundError, match="No such File object: file-no"):
        client.beta.threads.create(
            tool_resources={"file_search": {"vector_stores": [{"file_ids": ["file-no"]}]}}
        )
