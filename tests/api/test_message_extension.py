"""Messages as LangChain has them, several at once, and all of them gone: our extensions."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.conformance.world import World
from tests.conftest import API_KEY, LiveServer, serve
from tests.spec_validator import Spec
from tests.upstream import model_server

pytestmark = pytest.mark.both_databases

CALL: Any = {
    "type": "ai",
    "data": {"content": "", "id": "a1", "tool_calls": [{"name": "f", "args": {}, "id": "c1"}]},
}


@pytest.fixture
def thread_id(client: openai.OpenAI) -> str:
    return client.beta.threads.create().id


def said(text: str, langchain: Any = None) -> dict[str, Any]:
    extension = {"langchain": langchain} if langchain is not None else {}
    return {"role": "user", "content": text, **extension}


def named(text: str, langchain_id: str) -> dict[str, Any]:
    return said(text, {"type": "human", "data": {"id": langchain_id}})


def texts(http: httpx.Client, thread_id: str) -> list[str]:
    listed = http.get(f"/threads/{thread_id}/messages", params={"order": "asc", "limit": 100})
    return [m["content"][0]["text"]["value"] for m in listed.json()["data"]]


def test_what_langchain_said_comes_back_with_the_message(
    client: openai.OpenAI, http: httpx.Client, thread_id: str, spec: Spec
) -> None:
    made = client.beta.threads.messages.create(
        thread_id, role="assistant", content="f({})", extra_body={"langchain": CALL}
    )
    begun = client.beta.threads.create(messages=[said("hi", CALL)])  # type: ignore[list-item]

    assert made.to_dict()["langchain"] == CALL
    found = http.get(f"/threads/{thread_id}/messages/{made.id}").json()
    listed = http.get(f"/threads/{begun.id}/messages").json()["data"]
    assert [found["langchain"], listed[0]["langchain"]] == [CALL, CALL]
    spec.check("MessageObject", found)


def test_a_message_without_it_has_no_such_field(http: httpx.Client, thread_id: str) -> None:
    made = http.post(f"/threads/{thread_id}/messages", json={**said("hi"), "langchain": None})

    assert made.status_code == 200
    assert "langchain" not in made.json()


@pytest.mark.parametrize("content", ["", " ", [{"type": "text", "text": ""}]])
def test_only_with_it_a_message_may_say_nothing(
    http: httpx.Client, thread_id: str, content: Any
) -> None:
    path = f"/threads/{thread_id}/messages"

    refused = http.post(path, json={"role": "assistant", "content": content})
    made = http.post(path, json={"role": "assistant", "content": content, "langchain": CALL})

    assert refused.status_code == 400
    assert made.json()["content"] == []


def test_half_a_character_is_kept_in_the_text_of_its_json(
    http: httpx.Client, thread_id: str
) -> None:
    data = json.dumps({"content": "half \ud83d", "id": "h\ud83d"})
    extension = {"type": "human", "data": data}

    made = http.post(f"/threads/{thread_id}/messages", json=said("half", extension)).json()
    again = http.post(f"/threads/{thread_id}/messages", json=said("half", extension)).json()

    assert made["langchain"] == extension
    assert again["id"] == made["id"]


@pytest.mark.parametrize(
    ("langchain", "param", "code"),
    [
        (3, "langchain", "invalid_type"),
        ({"type": "ai"}, "langchain.data", "missing_required_parameter"),
        ({"data": {}}, "langchain.type", "missing_required_parameter"),
        ({"type": "ai", "data": {}, "more": 1}, "langchain.more", "unknown_parameter"),
        ({"type": "", "data": {}}, "langchain.type", "string_below_min_length"),
        ({"type": "x" * 65, "data": {}}, "langchain.type", "string_above_max_length"),
        ({"type": "ai", "data": []}, "langchain.data", "invalid_type"),
        ({"type": "ai", "data": {"content": 3}}, "langchain.data.content", "invalid_type"),
        ({"type": "ai", "data": {"content": [3]}}, "langchain.data.content", "invalid_type"),
        ({"type": "ai", "data": {"id": 3}}, "langchain.data.id", "invalid_type"),
        ({"type": "ai", "data": "{"}, "langchain.data", "invalid_value"),
        ({"type": "ai", "data": "[]"}, "langchain.data", "invalid_value"),
        ({"type": "ai", "data": '{"x": NaN}'}, "langchain.data", "invalid_value"),
        ({"type": "ai", "data": '{"x": 1e400}'}, "langchain.data", "invalid_value"),
        ({"type": "ai", "data": "[" * 100_000}, "langchain.data", "invalid_value"),
        (
            {"type": "ai", "data": f'{{"x": {"[" * 100}{"]" * 100}}}'},
            "langchain.data",
            "invalid_value",
        ),
        (
            {"type": "ai", "data": {"content": "x" * 8_000_000}},
            "langchain.data",
            "string_above_max_length",
        ),
    ],
)
def test_what_is_no_message_of_langchain_is_refused(
    http: httpx.Client, thread_id: str, langchain: Any, param: str, code: str
) -> None:
    one = http.post(f"/threads/{thread_id}/messages", json=said("hi", langchain))
    many = http.post(
        f"/threads/{thread_id}/messages/batch",
        json={"messages": [said("before"), said("hi", langchain)]},
    )

    error = one.json()["error"]
    assert (one.status_code, error["param"], error["code"]) == (400, param, code)
    assert many.status_code == 400
    assert many.json()["error"]["param"] == f"messages[1].{param}"
    assert texts(http, thread_id) == []


def test_several_messages_are_added_at_once(http: httpx.Client, thread_id: str, spec: Spec) -> None:
    answer = http.post(
        f"/threads/{thread_id}/messages/batch",
        json={"messages": [said("one"), {"role": "assistant", "content": "two"}, said("three")]},
    )

    listed = answer.json()
    spec.check("ListMessagesResponse", listed)
    assert [m["content"][0]["text"]["value"] for m in listed["data"]] == ["one", "two", "three"]
    assert texts(http, thread_id) == ["one", "two", "three"]
    counted = http.get(f"/threads/{thread_id}/messages").headers["x-message-count"]
    assert counted == "3"


def test_no_messages_are_no_harm(http: httpx.Client, thread_id: str) -> None:
    answer = http.post(f"/threads/{thread_id}/messages/batch", json={"messages": []})

    assert (answer.status_code, answer.json()["data"]) == (200, [])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": [said("x")] * 1_001}, "messages"),
        ({"messages": [said("")]}, "messages[0].content"),
        ({"messages": [said("x"), {"role": "tool", "content": "x"}]}, "messages[1].role"),
    ],
    ids=["none", "many", "empty", "role"],
)
def test_of_a_wrong_batch_nothing_is_added(
    http: httpx.Client, thread_id: str, body: Any, param: str
) -> None:
    answer = http.post(f"/threads/{thread_id}/messages/batch", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert texts(http, thread_id) == []


def test_an_id_of_langchain_is_taken_once(http: httpx.Client, thread_id: str) -> None:
    path = f"/threads/{thread_id}/messages"
    first = http.post(path, json=named("first", "m1")).json()
    again = http.post(path, json=named("again", "m1")).json()
    batch = {"messages": [named("2", "m2"), named("1", "m1"), named("2", "m2"), said("3")]}
    added = http.post(f"{path}/batch", json=batch).json()["data"]

    assert again == first
    assert texts(http, thread_id) == ["first", "2", "3"]
    assert [added[1]["id"], added[2]["id"]] == [first["id"], added[0]["id"]]


def test_an_id_of_ours_that_comes_back_is_the_same_message(
    client: openai.OpenAI, http: httpx.Client, thread_id: str
) -> None:
    path = f"/threads/{thread_id}/messages"
    made = http.post(path, json=said("hi")).json()
    again = http.post(path, json=named("hi", made["id"])).json()
    other = client.beta.threads.create(messages=[named("hi", made["id"])])  # type: ignore[list-item]

    assert again["id"] == made["id"]
    assert texts(http, thread_id) == texts(http, other.id) == ["hi"]


@pytest.mark.parametrize("langchain_id", ["x" * 3_000, "ü", "a\tb", "\0"])
def test_ids_may_be_of_any_kind(http: httpx.Client, thread_id: str, langchain_id: str) -> None:
    for text in ("first", "again"):
        http.post(f"/threads/{thread_id}/messages", json=named(text, langchain_id))
    http.post(f"/threads/{thread_id}/messages", json=named("other", f"{langchain_id}x"))

    assert texts(http, thread_id) == ["first", "other"]


def test_an_id_may_be_repeated_where_a_thread_or_a_run_begins(
    client: openai.OpenAI, http: httpx.Client
) -> None:
    thread = client.beta.threads.create(
        messages=[named("one", "m1"), named("again", "m1")]  # type: ignore[list-item]
    )
    client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id="asst_default",
        additional_messages=[named("and again", "m1"), named("two", "m2")],  # type: ignore[list-item]
        poll_interval_ms=20,
    )

    assert texts(http, thread.id)[:2] == ["one", "two"]
    assert len(texts(http, thread.id)) == 3


def test_batches_of_the_same_ids_at_once_are_one(offline: LiveServer, thread_id: str) -> None:
    batch = {"messages": [named(str(number), f"m{number}") for number in range(20)]}
    headers = {"Authorization": f"Bearer {API_KEY}"}

    def post(_: int) -> int:
        url = f"{offline.url}/v1/threads/{thread_id}/messages/batch"
        return httpx.post(url, json=batch, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(post, range(4))) == {200}
    with httpx.Client(base_url=f"{offline.url}/v1", headers=headers) as http:
        assert texts(http, thread_id) == [str(number) for number in range(20)]


def test_a_batch_with_a_key_is_added_once(http: httpx.Client, thread_id: str) -> None:
    path, body = f"/threads/{thread_id}/messages/batch", {"messages": [said("one"), said("two")]}
    first = http.post(path, json=body, headers={"Idempotency-Key": f"k-{thread_id}"})
    again = http.post(path, json=body, headers={"Idempotency-Key": f"k-{thread_id}"})

    assert again.json() == first.json()
    assert texts(http, thread_id) == ["one", "two"]


def test_a_batch_for_a_thread_of_nobody_is_not_found(http: httpx.Client) -> None:
    path = "/threads/thread_none/messages"

    assert http.post(f"{path}/batch", json={"messages": [said("x")]}).status_code == 404
    assert http.delete(path).status_code == 404


def test_all_messages_are_deleted_at_once(http: httpx.Client, thread_id: str) -> None:
    path = f"/threads/{thread_id}/messages"
    http.post(f"{path}/batch", json={"messages": [named("About tea", "m1"), said("two")]})

    gone = http.delete(path)
    empty = http.get(path)
    http.post(path, json=named("About milk", "m1"))

    assert gone.json() == {"id": thread_id, "object": "thread.messages.deleted", "deleted": True}
    assert (empty.json()["data"], empty.headers["x-message-count"]) == ([], "0")
    listed = http.get("/threads", params={"limit": 1}).json()["data"][0]
    assert (listed["id"], listed["title"]) == (thread_id, "About milk")


def test_while_a_run_is_active_both_are_refused_as_any_message_is(settings: Settings) -> None:
    with model_server() as upstream:
        connected = dataclasses.replace(settings, openai_base_url=upstream.base_url)
        with serve(connected) as live:
            run = World(live.client()).waiting_run()
            path = f"{live.url}/v1/threads/{run.thread_id}/messages"
            headers = {"Authorization": f"Bearer {API_KEY}"}

            one = httpx.post(path, json=said("x"), headers=headers)
            several = httpx.post(f"{path}/batch", json={"messages": [said("x")]}, headers=headers)
            emptied = httpx.delete(path, headers=headers)
            listed = httpx.get(path, headers=headers)

    told = f"Can't add messages to {run.thread_id} while a run {run.id} is active."
    assert [one.status_code, several.status_code, emptied.status_code] == [400] * 3
    assert one.json()["error"]["message"] == several.json()["error"]["message"] == told
    assert f"while a run {run.id} is active" in emptied.json()["error"]["message"]
    assert len(listed.json()["data"]) == 1
