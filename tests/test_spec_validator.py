import json
from copy import deepcopy
from typing import Any

import httpx
import pytest

from streamlit_assistant import responses
from streamlit_assistant.records import JSON
from tests.factories import make_assistant, make_message, make_run, make_thread
from tests.spec_validator import Spec, SpecViolation, load_spec
from tests.stream_order import OrderViolation

OBJECTS: dict[str, JSON] = {
    "AssistantObject": responses.assistant(make_assistant()),
    "ThreadObject": responses.thread(make_thread()),
    "MessageObject": responses.message(make_message("thread_1")),
    "RunObject": responses.run(make_run("thread_1")),
    "ListMessagesResponse": responses.listing([], has_more=False),
    "DeleteThreadResponse": responses.deleted("thread_1", "thread"),
}
RUN_PATH = "/v1/threads/thread_1/runs/run_1"


@pytest.fixture
def spec() -> Spec:
    return load_spec()


@pytest.mark.parametrize("name", OBJECTS)
def test_a_proper_object_passes(spec: Spec, name: str) -> None:
    spec.check(name, OBJECTS[name])


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_without_one_of_its_fields_is_refused(spec: Spec, name: str) -> None:
    with pytest.raises(SpecViolation, match="'object' is a required property"):
        spec.check(name, {k: v for k, v in OBJECTS[name].items() if k != "object"})


@pytest.mark.parametrize("name", OBJECTS)
def test_an_unknown_field_is_refused(spec: Spec, name: str) -> None:
    with pytest.raises(SpecViolation, match="'owner' was unexpected"):
        spec.check(name, OBJECTS[name] | {"owner": "me"})


def test_an_unknown_field_is_refused_deep_inside(spec: Spec) -> None:
    message = deepcopy(OBJECTS["MessageObject"])
    message["content"][0]["text"]["tokens"] = 3

    with pytest.raises(SpecViolation, match="content"):
        spec.check("MessageObject", message)


def test_fields_that_are_free_by_nature_stay_free(spec: Spec) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "$comment": "mine"}
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    assistant = OBJECTS["AssistantObject"] | {"tools": [tool], "metadata": {"any": "thing"}}

    spec.check("AssistantObject", assistant)


@pytest.mark.parametrize(
    ("name", "field"),
    [("AssistantObject", "reasoning_effort"), ("RunObject", "reasoning_effort")],
)
def test_the_known_extras_have_types_as_well(spec: Spec, name: str, field: str) -> None:
    spec.check(name, OBJECTS[name] | {field: "low"})
    spec.check(name, OBJECTS[name] | {field: None})
    with pytest.raises(SpecViolation, match=field):
        spec.check(name, OBJECTS[name] | {field: "enormous"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "done"),
        ("instructions", None),
        ("metadata", {"number": 1}),
        ("max_completion_tokens", 255),
        ("last_error", {"code": "teapot", "message": "No."}),
        ("usage", {"prompt_tokens": 1}),
        ("created_at", "2026-11-21"),
        ("created_at", 1_700_000_000_000),  # milliseconds
    ],
)
def test_a_wrong_value_is_refused_by_its_place(spec: Spec, field: str, value: Any) -> None:
    with pytest.raises(SpecViolation, match=field):
        spec.check("RunObject", OBJECTS["RunObject"] | {field: value})


def test_a_list_is_checked_with_its_items(spec: Spec) -> None:
    message = OBJECTS["MessageObject"]
    spec.check("ListMessagesResponse", responses.listing([message], has_more=True))

    with pytest.raises(SpecViolation, match=r"data\[1\]"):
        broken = responses.listing([message, message | {"role": "human"}], has_more=True)
        spec.check("ListMessagesResponse", broken)


def test_an_error_has_all_four_fields(spec: Spec) -> None:
    spec.check_error(responses.error("No.", "invalid_request_error", None, None))

    with pytest.raises(SpecViolation, match="'code' is a required property"):
        spec.check_error({"error": {"message": "No.", "type": "x", "param": None}})
    with pytest.raises(SpecViolation, match=r"\.error\.code"):
        spec.check_error({"error": {"message": "No.", "type": "x", "param": None, "code": 400}})
    with pytest.raises(SpecViolation, match="'error' is a required property"):
        spec.check_error({"detail": "Not Found"})


def test_an_answer_is_checked_by_its_request(spec: Spec) -> None:
    run = OBJECTS["RunObject"]
    spec.check_response("GET", RUN_PATH, 200, run)
    spec.check_response("POST", f"{RUN_PATH}/cancel", 200, run)
    spec.check_response("post", "/v1/threads/runs", 200, run)
    spec.check_response("POST", "/v1/threads/thread_1", 200, OBJECTS["ThreadObject"])

    with pytest.raises(SpecViolation, match="GET /v1/threads/thread_1 -> 200"):
        spec.check_response("GET", "/v1/threads/thread_1", 200, run)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/threads", 200),
        ("PUT", RUN_PATH, 200),
        ("GET", RUN_PATH, 201),
        ("GET", "/v1/threads//messages", 200),
        ("GET", f"{RUN_PATH}/", 200),
    ],
)
def test_an_answer_that_the_specification_does_not_know_is_refused(
    spec: Spec, method: str, path: str, status: int
) -> None:
    with pytest.raises(SpecViolation, match="knows no such answer"):
        spec.check_response(method, path, status, {})


def test_every_failure_is_an_error_object_whatever_the_path(spec: Spec) -> None:
    spec.check_response("GET", "/v1/nowhere", 404, responses.error("No.", "x", None, None))

    with pytest.raises(SpecViolation, match="GET /v1/nowhere -> 404"):
        spec.check_response("GET", "/v1/nowhere", 404, {"detail": "Not Found"})


def answer(kind: str, body: bytes, status: int = 200) -> httpx.Response:
    request = httpx.Request("POST", "http://api.test/v1/threads/thread_1/runs")
    return httpx.Response(status, headers={"content-type": kind}, content=body, request=request)


def test_a_whole_answer_is_checked_by_its_content_type(spec: Spec) -> None:
    run = json.dumps(OBJECTS["RunObject"]).encode()
    spec.check_http(answer("application/json", run))
    broken = json.dumps(responses.error("No.", "server_error", None, None))
    spec.check_http(answer("text/event-stream", f"event: error\ndata: {broken}\n\n".encode()))

    with pytest.raises(SpecViolation, match="-> 200"):
        spec.check_http(answer("application/json", b"{}"))
    with pytest.raises(SpecViolation, match="content type 'text/plain'"):
        spec.check_http(answer("text/plain; charset=utf-8", b"Internal Server Error", 500))
    with pytest.raises(OrderViolation, match="without 'done'"):
        spec.check_http(answer("text/event-stream", b": waiting\n\n"))


def test_events_are_checked_by_their_names(spec: Spec) -> None:
    spec.check_event("thread.created", OBJECTS["ThreadObject"])
    spec.check_event("thread.run.queued", json.dumps(OBJECTS["RunObject"]))
    spec.check_event("done", "[DONE]")

    with pytest.raises(SpecViolation, match=r"unknown event 'thread\.run\.started'"):
        spec.check_event("thread.run.started", OBJECTS["RunObject"])
    with pytest.raises(SpecViolation, match=r"thread\.run\.queued"):
        spec.check_event("thread.run.queued", OBJECTS["ThreadObject"])
    with pytest.raises(SpecViolation, match="done"):
        spec.check_event("done", "done")


def test_an_error_event_is_nested_because_the_client_overlooks_a_flat_one(spec: Spec) -> None:
    error = responses.error("No.", "server_error", None, None)
    spec.check_event("error", error)

    with pytest.raises(SpecViolation):
        spec.check_event("error", error["error"])


def test_an_operation_is_known_by_its_path_on_the_wire(spec: Spec) -> None:
    assert len(spec.operation_ids()) == 51
    assert spec.operation_id("POST", "/v1/threads/runs") == "createThreadAndRun"
    assert spec.operation_id("POST", "/v1/threads/thread_1") == "modifyThread"
    assert spec.operation_id("GET", "/v1/nowhere") == "none"
