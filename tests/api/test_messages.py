"""Messages: changed, deleted, counted."""

import dataclasses
import threading

import httpx
import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.conftest import serve
from tests.upstream import model_server
from tests.upstream_scripts import Answer

pytestmark = pytest.mark.both_databases


def count(http: httpx.Client, thread_id: str) -> str:
    return http.get(f"/threads/{thread_id}/messages").headers["x-message-count"]


def test_only_the_metadata_of_a_message_can_change(
    client: openai.OpenAI, http: httpx.Client
) -> None:
    thread = client.beta.threads.create()
    made = client.beta.threads.messages.create(thread.id, role="user", content="hi")

    changed = client.beta.threads.messages.update(made.id, thread_id=thread.id, metadata={"k": "v"})
    kept = client.beta.threads.messages.update(made.id, thread_id=thread.id)
    path = f"/threads/{thread.id}/messages/{made.id}"
    refused = http.post(path, json={"content": "other"})
    emptied = http.post(path, json={"metadata": None})

    assert changed == made.model_copy(update={"metadata": {"k": "v"}})
    assert kept == changed
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unknown_parameter")
    assert emptied.json()["metadata"] == {}


def test_a_deleted_message_is_gone_and_no_longer_counted(
    client: openai.OpenAI, http: httpx.Client
) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": text} for text in ("one", "two", "three")]
    )
    newest = client.beta.threads.messages.list(thread.id).data[0]

    gone = client.beta.threads.messages.delete(newest.id, thread_id=thread.id)

    assert (gone.id, gone.object, gone.deleted) == (newest.id, "thread.message.deleted", True)
    assert len(client.beta.threads.messages.list(thread.id).data) == 2
    assert count(http, thread.id) == "2"
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.messages.retrieve(newest.id, thread_id=thread.id)
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.messages.delete(newest.id, thread_id=thread.id)


def test_a_thread_whose_last_message_is_deleted_is_not_listed_until_it_holds_one_again(
    client: openai.OpenAI, http: httpx.Client
) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "only"}])
    [only] = client.beta.threads.messages.list(thread.id).data

    def is_listed() -> bool:
        listed = http.get("/threads", params={"limit": 100}).json()["data"]
        return thread.id in [item["id"] for item in listed]

    assert is_listed()
    client.beta.threads.messages.delete(only.id, thread_id=thread.id)
    assert not is_listed()
    client.beta.threads.messages.create(thread.id, role="user", content="again")
    assert is_listed()
    assert count(http, thread.id) == "1"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_message_is_found_in_its_own_thread_only(
    client: openai.OpenAI, http: httpx.Client, method: str
) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])
    other = client.beta.threads.create()
    [message] = client.beta.threads.messages.list(thread.id).data

    answer = http.request(method, f"/threads/{other.id}/messages/{message.id}")

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"No message found with id '{message.id}'."


def test_while_a_run_writes_its_answer_every_other_message_may_go(settings: Settings) -> None:
    go_on = threading.Event()
    with model_server(Answer(["Once ", go_on, "upon a time."])) as upstream:
        connected = dataclasses.replace(settings, openai_base_url=upstream.base_url)
        with serve(connected) as live:
            client = live.client()
            thread = client.beta.threads.create(messages=[{"role": "user", "content": "A tale!"}])
            [question] = client.beta.threads.messages.list(thread.id).data
            stream = client.beta.threads.runs.create(
                thread.id, assistant_id="asst_default", stream=True
            )
            answer_id = next(e.data.id for e in stream if e.event == "thread.message.delta")

            with pytest.raises(openai.BadRequestError, match=r"while a run run_\w+ is active"):
                client.beta.threads.messages.delete(answer_id, thread_id=thread.id)
            client.beta.threads.messages.update(
                answer_id, thread_id=thread.id, metadata={"seen": "yes"}
            )
            client.beta.threads.messages.delete(question.id, thread_id=thread.id)
            go_on.set()
            last = [event.event for event in stream][-1]
            [answer] = client.beta.threads.messages.list(thread.id).data

    assert last == "thread.run.completed"
    assert (answer.id, answer.status, answer.metadata) == (answer_id, "completed", {"seen": "yes"})
    assert answer.content[0].to_dict()["text"] == {
        "value": "Once upon a time.",
        "annotations": [],
    }
