"""Bad input over HTTP: status, words, parameter and code, and nothing lost."""

from typing import Any

import httpx
import pytest

from tests.conftest import API_KEY, LiveServer

ASSISTANT = "asst_default"
LONG = "x" * 256_001


FUNCTION = {"type": "function", "function": {"name": "f"}}
STATIC = "tool_resources.file_search.vector_stores[0].chunking_strategy.static"


def searching(**resources: Any) -> dict[str, Any]:
    return {"file_search": resources}


def chunked(**changes: Any) -> dict[str, Any]:
    static = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400, **changes}
    return searching(vector_stores=[{"chunking_strategy": {"type": "static", "static": static}}])


@pytest.fixture
def thread_id(http: httpx.Client) -> str:
    return str(http.post("/threads", json={}).json()["id"])


def message(**changes: Any) -> dict[str, Any]:
    return {"role": "user", "content": "hello", **changes}


def error_of(response: httpx.Response) -> dict[str, Any]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    ("body", "param", "code", "said"),
    [
        (message(content=""), "content", "invalid_value", "non-empty"),
        (message(content=" \n\t"), "content", "invalid_value", "non-empty"),
        (message(content=[]), "content", "empty_array", "empty array"),
        (
            message(content=LONG),
            "content",
            "string_above_max_length",
            "Invalid 'content': string too long. Expected a string with maximum length 256000, "
            "but got a string with length 256001 instead.",
        ),
        (
            message(role="human"),
            "role",
            "invalid_value",
            "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
        ),
        (
            message(content=3),
            "content",
            "invalid_type",
            "Invalid type for 'content': expected one of a string or array of objects, "
            "but got an integer instead.",
        ),
        ({"content": "x"}, "role", "missing_required_parameter", "Missing required parameter"),
        (message(x=1), "x", "unknown_parameter", "Unknown parameter: 'x'."),
        (
            message(content=[{"type": "text", "text": {"value": "x"}}]),
            "content[0].text",
            "invalid_type",
            "expected a string, but got an object",
        ),
        (
            message(content=[{"type": "text", "text": LONG[:-1]}, {"type": "text", "text": "yz"}]),
            "content",
            "string_above_max_length",
            "maximum length 256000, but got a string with length 256002 instead.",
        ),
        (
            message(metadata={str(n): "v" for n in range(17)}),
            "metadata",
            "object_above_max_properties",
            "at most 16 properties, but got an object with 17 properties",
        ),
        (
            message(metadata={"k": "v" * 600}),
            "metadata.k",
            "string_above_max_length",
            "Invalid 'metadata.k': string too long. Expected a string with maximum length 512",
        ),
        (
            message(metadata={"k" * 65: "v"}),
            f"metadata.{'k' * 65}",
            "property_name_above_max_length",
            "Invalid property name in 'metadata'",
        ),
    ],
)
def test_a_wrong_message_is_refused_in_the_services_words(
    http: httpx.Client, thread_id: str, body: Any, param: str, code: str, said: str
) -> None:
    response = http.post(f"/threads/{thread_id}/messages", json=body)

    error = error_of(response)
    assert response.status_code == 400
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert said in error["message"]
    assert http.get(f"/threads/{thread_id}/messages").json()["data"] == []
    assert http.post(f"/threads/{thread_id}/messages", json=message()).status_code == 200


def test_the_longest_message_is_accepted(http: httpx.Client, thread_id: str) -> None:
    longest = LONG[:-1]

    sent = http.post(f"/threads/{thread_id}/messages", json=message(content=longest))

    assert sent.json()["content"][0]["text"]["value"] == longest


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "model", "missing_required_parameter"),
        ({"model": 3}, "model", "invalid_type"),
        ({"model": "m", "temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"model": "m", "top_p": -1}, "top_p", "decimal_below_min_value"),
        ({"model": "m", "name": "n" * 257}, "name", "string_above_max_length"),
        ({"model": "m", "tools": [{"type": "x"}]}, "tools[0].type", "invalid_value"),
        ({"model": "m", "tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"model": "m", "tools": ["x"]}, "tools[0]", "invalid_type"),
        (
            {"model": "m", "tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        (
            {
                "model": "m",
                "tools": [
                    {"type": "code_interpreter"},
                    {"type": "function", "function": {"name": "f", "description": "d" * 1890}},
                ],
            },
            "tools[1].function.description",
            "string_above_max_length",
        ),
        (
            {"model": "m", "tools": [{"type": "code_interpreter"}] * 129},
            "tools",
            "array_above_max_length",
        ),
        (
            {"model": "m", "tools": [FUNCTION, {"type": "file_search"}, FUNCTION]},
            "tools[2].function.name",
            "invalid_value",
        ),
        ({"model": "m", "response_format": 1}, "response_format", "invalid_type"),
        (
            {"model": "m", "response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.name",
            "missing_required_parameter",
        ),
        (
            {
                "model": "m",
                "response_format": {"type": "json_schema", "json_schema": {"name": "a b"}},
            },
            "response_format.json_schema.name",
            "invalid_value",
        ),
        (
            {"model": "m", "tool_resources": {"code_interpreter": {"file_ids": ["file-x"] * 21}}},
            "tool_resources.code_interpreter.file_ids",
            "array_above_max_length",
        ),
        (
            {"model": "m", "tool_resources": searching(vector_store_ids=["vs_a", "vs_b"])},
            "tool_resources.file_search.vector_store_ids",
            "array_above_max_length",
        ),
        (
            {"model": "m", "tool_resources": searching(vector_stores=[{}, {}])},
            "tool_resources.file_search.vector_stores",
            "array_above_max_length",
        ),
        (
            {
                "model": "m",
                "tool_resources": searching(vector_store_ids=["vs_a"], vector_stores=[{}]),
            },
            "tool_resources.file_search",
            "invalid_value",
        ),
        (
            {"model": "m", "tool_resources": searching(vector_stores=[{"name": "n"}])},
            "tool_resources.file_search.vector_stores[0].name",
            "unknown_parameter",
        ),
        (
            {"model": "m", "tool_resources": chunked(max_chunk_size_tokens=99)},
            f"{STATIC}.max_chunk_size_tokens",
            "integer_below_min_value",
        ),
        (
            {"model": "m", "tool_resources": chunked(max_chunk_size_tokens=4097)},
            f"{STATIC}.max_chunk_size_tokens",
            "integer_above_max_value",
        ),
        (
            {"model": "m", "tool_resources": chunked(chunk_overlap_tokens=401)},
            f"{STATIC}.chunk_overlap_tokens",
            "invalid_value",
        ),
        (
            {"model": "m", "tool_resources": chunked(chunk_overlap_tokens=None)},
            f"{STATIC}.chunk_overlap_tokens",
            "invalid_type",
        ),
        ({"model": "m", "response_format": "json"}, "response_format", "invalid_value"),
        ({"model": "m", "reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        ([], None, "invalid_type"),
    ],
)
def test_a_wrong_assistant_is_refused(
    http: httpx.Client, body: Any, param: str | None, code: str
) -> None:
    response = http.post("/assistants", json=body)

    error = error_of(response)
    assert (response.status_code, error["param"], error["code"]) == (400, param, code)


BLANK = {"role": "user", "content": ""}
NO_MESSAGES = {"type": "last_messages", "last_messages": 0}


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"assistant_id": None}, 400, "assistant_id", "invalid_type"),
        ({"assistant_id": "x"}, 400, "assistant_id", "invalid_value"),
        ({"assistant_id": "asst_x"}, 404, None, None),
        ({"max_completion_tokens": 1}, 400, "max_completion_tokens", "integer_below_min_value"),
        (
            {"truncation_strategy": NO_MESSAGES},
            400,
            "truncation_strategy.last_messages",
            "integer_below_min_value",
        ),
        ({"max_prompt_tokens": 255}, 400, "max_prompt_tokens", "integer_below_min_value"),
        ({"stream": "yes"}, 400, "stream", "invalid_type"),
        ({"tools": [FUNCTION] * 21}, 400, "tools", "array_above_max_length"),
        ({"tools": [FUNCTION] * 2}, 400, "tools[1].function.name", "invalid_value"),
        ({"tool_choice": "required"}, 400, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "file_search"}}, 400, "tool_choice", "invalid_value"),
        (
            {"tool_choice": {"type": "function"}},
            400,
            "tool_choice.function",
            "missing_required_parameter",
        ),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {"type": "function", "function": {"name": "g"}},
            },
            400,
            "tool_choice",
            "invalid_value",
        ),
        (
            {"additional_messages": [BLANK]},
            400,
            "additional_messages[0].content",
            "invalid_value",
        ),
    ],
)
def test_a_wrong_run_is_refused_and_locks_nothing(
    http: httpx.Client, thread_id: str, body: Any, status: int, param: str | None, code: str | None
) -> None:
    response = http.post(f"/threads/{thread_id}/runs", json={"assistant_id": ASSISTANT, **body})

    error = error_of(response)
    assert (response.status_code, error["param"], error["code"]) == (status, param, code)
    assert http.post(f"/threads/{thread_id}/messages", json=message()).status_code == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/assistants/asst_x", "No assistant found with id 'asst_x'."),
        ("/threads/thread_x", "No thread found with id 'thread_x'."),
        ("/threads/thread_x/messages", "No thread found with id 'thread_x'."),
        ("/threads/{t}/messages/msg_x", "No message found with id 'msg_x'."),
        ("/threads/{t}/messages?after=msg_x", "No message found with id 'msg_x'."),
        ("/threads/{t}/runs/run_x", "No run found with id 'run_x'."),
        ("/threads/{t}/runs/run_x/steps", "No run found with id 'run_x'."),
        ("/threads/{t}/runs/run_x/events", "No run found with id 'run_x'."),
        ("/models/none", "The model 'none' does not exist."),
        ("/nowhere", "Invalid URL (GET /v1/nowhere)"),
        ("/no%0Awhere", "Invalid URL (GET /v1/nowhere)"),
    ],
)
def test_what_does_not_exist_is_404(
    http: httpx.Client, thread_id: str, path: str, said: str
) -> None:
    response = http.get(path.format(t=thread_id))

    assert response.status_code == 404
    assert error_of(response)["message"] == said


@pytest.mark.parametrize(
    ("path", "param", "said"),
    [
        (
            "/threads/undefined",
            "thread_id",
            "'undefined'. Expected an ID that begins with 'thread'",
        ),
        ("/assistants/x", "assistant_id", "begins with 'asst'"),
        ("/threads/{t}/messages/x", "message_id", "begins with 'msg'"),
        ("/threads/{t}/runs/x", "run_id", "begins with 'run'"),
        ("/threads/{t}/runs/run_x/steps/x", "step_id", "begins with 'step'"),
        ("/assistants?limit=0", "limit", "Expected a value >= 1, but got 0 instead."),
        ("/assistants?limit=101", "limit", "Expected a value <= 100, but got 101 instead."),
        ("/assistants?limit=ten", "limit", "expected an integer"),
        ("/assistants?order=up", "order", "Supported values are: 'asc' and 'desc'."),
        ("/assistants?limits=1", "limits", "Unknown parameter: 'limits'."),
    ],
)
def test_a_malformed_id_or_query_is_400(
    http: httpx.Client, thread_id: str, path: str, param: str, said: str
) -> None:
    response = http.get(path.format(t=thread_id))

    error = error_of(response)
    assert (response.status_code, error["param"]) == (400, param)
    assert said in error["message"]


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"metadata": NaN}', b"[" * 100_000])
def test_malformed_json_is_400(http: httpx.Client, raw: bytes) -> None:
    response = http.post("/threads", content=raw)

    assert response.status_code == 400
    assert "could not parse the JSON body" in error_of(response)["message"]


def test_a_body_beyond_all_measure_is_400(http: httpx.Client) -> None:
    response = http.post("/threads", content=b" " * (33 * 1024 * 1024))

    assert (response.status_code, error_of(response)["code"]) == (400, "request_too_large")


def test_a_wrong_method_is_405(http: httpx.Client) -> None:
    response = http.put("/assistants", json={})

    assert response.status_code == 405
    assert "Invalid method" in error_of(response)["message"]


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Basic abc", "Bearer wrong", f"Bearer {API_KEY}x"]
)
@pytest.mark.parametrize("path", ["/assistants", "/threads/thread_x/runs/run_x/events", "/nowhere"])
def test_without_the_key_there_is_nothing(
    offline: LiveServer, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = httpx.get(f"{offline.url}/v1{path}", headers=headers)

    error = error_of(response)
    assert (response.status_code, error["code"]) == (401, "invalid_api_key")
    assert "wrong" not in error["message"]


def test_a_file_that_does_not_exist_cannot_be_attached(http: httpx.Client, thread_id: str) -> None:
    attachments = [{"file_id": "file-x", "tools": [{"type": "file_search"}]}]

    response = http.post(f"/threads/{thread_id}/messages", json=message(attachments=attachments))

    assert response.status_code == 404
    assert error_of(response)["message"] == "No such File object: file-x"


@pytest.mark.parametrize("given", ["soon", "0", "-1", "61", "nan"])
def test_a_heartbeat_out_of_bounds_is_refused(
    http: httpx.Client, thread_id: str, given: str
) -> None:
    run = http.post(f"/threads/{thread_id}/runs", json={"assistant_id": ASSISTANT}).json()

    response = http.get(
        f"/threads/{thread_id}/runs/{run['id']}/events", headers={"X-Heartbeat-Seconds": given}
    )

    assert response.status_code == 400
    assert f"but got '{given}' instead" in error_of(response)["message"]


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 20])
def test_a_resumption_point_that_is_no_number_is_refused(
    http: httpx.Client, thread_id: str, given: str
) -> None:
    run = http.post(f"/threads/{thread_id}/runs", json={"assistant_id": ASSISTANT}).json()

    response = http.get(
        f"/threads/{thread_id}/runs/{run['id']}/events", headers={"Last-Event-ID": given}
    )

    assert (response.status_code, error_of(response)["param"]) == (400, "after")


def test_every_answer_carries_a_request_id_of_its_own(http: httpx.Client) -> None:
    ids = {http.get(path).headers["x-request-id"] for path in ("/assistants", "/nowhere")}

    assert len(ids) == 2
    assert all(name.startswith("req_") for name in ids)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/threads/{t}", {"tool_resources": searching(vector_stores=[{}])}),
        (f"/assistants/{ASSISTANT}", {"tool_resources": searching(vector_stores=[{}])}),
        (
            "/threads/runs",
            {"assistant_id": ASSISTANT, "tool_resources": searching(vector_stores=[])},
        ),
    ],
)
def test_a_vector_store_is_made_only_where_something_new_is_to_use_it(
    http: httpx.Client, thread_id: str, path: str, body: Any
) -> None:
    response = http.post(path.format(t=thread_id), json=body)

    error = error_of(response)
    assert (response.status_code, error["code"]) == (400, "unknown_parameter")
    assert error["param"] == "tool_resources.file_search.vector_stores"


def test_a_model_cannot_be_deleted_here(http: httpx.Client) -> None:
    [name] = [model["id"] for model in http.get("/models").json()["data"]][:1]

    refused, unknown = http.delete(f"/models/{name}"), http.delete("/models/none")

    assert (refused.status_code, error_of(refused)["type"]) == (403, "invalid_request_error")
    assert "cannot be deleted here" in error_of(refused)["message"]
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "model_not_found")
    assert http.get(f"/models/{name}").status_code == 200
