"""Bodies made to break the server: each is refused in words, quickly, and nothing is stored."""

import json
from typing import Any

import httpx
import pytest

DEEP = "[" * 500 + "]" * 500
SCHEMA = '{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":%s}}]}'


@pytest.fixture
def thread_id(http: httpx.Client) -> str:
    return str(http.post("/threads", json={}).json()["id"])


@pytest.mark.parametrize(
    "raw",
    [
        SCHEMA % '{"x":1e999}',
        SCHEMA % f'{{"x":{DEEP}}}',
        SCHEMA % r'{"x":"\ud83d"}',
        r'{"model":"m","metadata":{"k":"\udc00"}}',
        r'{"model":"\ud800"}',
        r'{"\ud800":1}',
        '{"model":"m","temperature":1e999}',
    ],
)
def test_what_cannot_be_stored_is_refused(http: httpx.Client, raw: str) -> None:
    response = http.post("/assistants", content=raw)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert http.get("/assistants").status_code == 200


def test_whole_characters_written_as_halves_are_accepted(http: httpx.Client) -> None:
    made = http.post("/assistants", content=r'{"model":"m","name":"\ud83d\ude00"}')

    assert made.json()["name"] == "😀"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [1] * 300_000}, "messages[0]"),
        ({"messages": [{"role": "user", "content": "x"}] * 1001}, "messages"),
        ({f"key{n}": n for n in range(100_000)}, "key0"),
        ({"x" * 1_000_000: 1}, "x" * 100),
        ({"metadata": {f"k{n}": 1 for n in range(100_000)}}, "metadata"),
        ({"messages": [{"role": "user", "content": [1] * 100_000}]}, "messages[0].content[0]"),
    ],
)
def test_a_million_mistakes_are_answered_with_one(
    http: httpx.Client, body: Any, param: str
) -> None:
    response = http.post("/threads", json=body)

    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert len(response.content) < 2_000


def test_a_thousand_messages_are_stored_in_their_order(http: httpx.Client) -> None:
    messages = [{"role": "user", "content": f"m{n}"} for n in range(1000)]

    thread = http.post("/threads", json={"messages": messages}).json()
    last = http.get(f"/threads/{thread['id']}/messages?limit=2").json()["data"]

    assert [m["content"][0]["text"]["value"] for m in last] == ["m999", "m998"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_completion_tokens", 2**63),
        ("truncation_strategy", {"type": "last_messages", "last_messages": 10**19}),
        ("truncation_strategy", {"type": "last_messages"}),
        ("temperature", 10**400),
    ],
)
def test_numbers_beyond_measure_are_refused(
    http: httpx.Client, thread_id: str, field: str, value: Any
) -> None:
    body = json.dumps({"assistant_id": "asst_default", field: value})

    response = http.post(f"/threads/{thread_id}/runs", content=body)

    assert response.status_code == 400
    assert http.get(f"/threads/{thread_id}/runs").json()["data"] == []


@pytest.mark.parametrize("limit", ["--5", "٣", "1e3", "9" * 400, "-1", ""])
def test_a_limit_that_is_no_number_is_refused(http: httpx.Client, limit: str) -> None:
    assert http.get("/assistants", params={"limit": limit}).status_code == 400


def test_a_refused_heartbeat_starts_no_run(http: httpx.Client, thread_id: str) -> None:
    response = http.post(
        f"/threads/{thread_id}/runs",
        json={"assistant_id": "asst_default", "stream": True},
        headers={"X-Heartbeat-Seconds": "never"},
    )

    assert response.status_code == 400
    assert http.get(f"/threads/{thread_id}/runs").json()["data"] == []


def test_nulls_that_were_sent_do_not_come_back(http: httpx.Client) -> None:
    schema = {"name": "n", "description": None, "schema": {"default": None}}
    made = http.post(
        "/assistants",
        json={"model": "m", "response_format": {"type": "json_schema", "json_schema": schema}},
    ).json()

    assert made["response_format"]["json_schema"] == {"name": "n", "schema": {"default": None}}
