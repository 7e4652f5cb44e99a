import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from streamlit_assistant import responses
from streamlit_assistant.records import JSON, MessageStatus, RunStatus, RunStep, StepStatus
from tests.factories import make_message, make_run, make_thread
from tests.spec_validator import load_spec
from tests.stream_order import OrderViolation, Pair, check_order, fold

Transcript = list[Pair]
CREATION: JSON = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}


def run(status: str) -> JSON:
    return responses.run(make_run("thread_1", id="run_1", status=RunStatus(status)))


def step(status: str, details: JSON | None = None) -> JSON:
    details = details or CREATION
    record = RunStep(
        "step_1", "run_1", "thread_1", "asst_1", 1_700_000_000, details["type"], details
    )
    return responses.run_step(replace(record, status=StepStatus(status)))


def message(status: str, *texts: str) -> JSON:
    content = [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts]
    made = make_message("thread_1", id="msg_1", role="assistant", content=content)
    reason = "run_failed" if status == "incomplete" else None
    return responses.message(replace(made, status=MessageStatus(status), incomplete_reason=reason))


def delta(value: str, index: int = 0, **text: Any) -> Pair:
    part = {"index": index, "type": "text", "text": {"value": value, **text}}
    return "thread.message.delta", responses.message_delta("msg_1", part)


def call_delta(**function: Any) -> Pair:
    call = {"index": 0, "type": "function", "function": function}
    if "name" in function:
        call["id"] = "call_1"
    details = {"type": "tool_calls", "tool_calls": [call]}
    change = {"id": "step_1", "object": "thread.run.step.delta", "delta": {"step_details": details}}
    return "thread.run.step.delta", change


BEGINNING: Transcript = [
    ("thread.run.created", run("queued")),
    ("thread.run.queued", run("queued")),
    ("thread.run.in_progress", run("in_progress")),
]
WRITING: Transcript = [
    ("thread.run.step.created", step("in_progress")),
    ("thread.run.step.in_progress", step("in_progress")),
    ("thread.message.created", message("in_progress")),
    ("thread.message.in_progress", message("in_progress")),
    delta("Hel", annotations=[]),
    delta("lo"),
]
ENDING: Transcript = [
    ("thread.message.completed", message("completed", "Hello")),
    ("thread.run.step.completed", step("completed")),
    ("thread.run.completed", run("completed")),
]
DONE: Transcript = [("done", "[DONE]")]
ANSWER = BEGINNING + WRITING + ENDING + DONE

NO_CALLS: JSON = {"type": "tool_calls", "tool_calls": []}
CALL: JSON = {
    "type": "tool_calls",
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "add", "arguments": "{}", "output": "2"},
        }
    ],
}
FUNCTION_CALL: Transcript = [
    *BEGINNING,
    ("thread.run.step.created", step("in_progress", NO_CALLS)),
    ("thread.run.step.in_progress", step("in_progress", NO_CALLS)),
    call_delta(name="add", arguments="", output=None),
    call_delta(arguments="{"),
    call_delta(arguments="}"),
    ("thread.run.requires_action", run("requires_action")),
    *DONE,
]
AFTER_OUTPUTS: Transcript = [
    ("thread.run.step.completed", step("completed", CALL)),
    ("thread.run.queued", run("queued")),
    ("thread.run.in_progress", run("in_progress")),
    *WRITING,
    *ENDING,
    *DONE,
]
CANCELLED: Transcript = [
    *BEGINNING,
    *WRITING,
    ("thread.run.cancelling", run("cancelling")),
    ("thread.message.incomplete", message("incomplete", "Hello")),
    ("thread.run.step.cancelled", step("cancelled")),
    ("thread.run.cancelled", run("cancelled")),
    *DONE,
]
FAILED_AT_ONCE: Transcript = [*BEGINNING, ("thread.run.failed", run("failed")), *DONE]
THREAD: Transcript = [("thread.created", responses.thread(make_thread()))]
BROKEN: Transcript = [("error", responses.error("It tore.", "server_error", None, None))]
LEGAL = {
    "an answer": ANSWER,
    "an answer on a new thread": THREAD + ANSWER,
    "a function call": FUNCTION_CALL,
    "an answer after tool outputs": AFTER_OUTPUTS,
    "a cancelled answer": CANCELLED,
    "a failure before the first word": FAILED_AT_ONCE,
    "an error in the middle": BEGINNING + WRITING + BROKEN,
    "an error and done": BEGINNING + BROKEN + DONE,
}


@pytest.mark.parametrize("transcript", LEGAL.values(), ids=LEGAL)
def test_a_legal_stream_passes_as_objects_and_as_text(transcript: Transcript) -> None:
    load_spec().check_stream(transcript)
    load_spec().check_stream(
        [(name, data if name == "done" else json.dumps(data)) for name, data in transcript]
    )


@pytest.mark.parametrize("index", range(len(ANSWER)), ids=[name for name, _ in ANSWER])
def test_no_event_of_an_answer_may_be_missing(index: int) -> None:
    with pytest.raises(OrderViolation):
        check_order(ANSWER[:index] + ANSWER[index + 1 :])


@pytest.mark.parametrize("index", range(len(ANSWER)), ids=[name for name, _ in ANSWER])
def test_no_event_of_an_answer_may_come_twice(index: int) -> None:
    with pytest.raises(OrderViolation):
        check_order(ANSWER[: index + 1] + ANSWER[index:])


@pytest.mark.parametrize("index", range(len(ANSWER) - 1), ids=[name for name, _ in ANSWER[1:]])
def test_no_two_neighbours_of_an_answer_may_change_places(index: int) -> None:
    swapped = [*ANSWER]
    swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]

    with pytest.raises(OrderViolation):
        check_order(swapped)


@pytest.mark.parametrize("length", range(len(ANSWER)))
def test_a_stream_may_not_just_stop(length: int) -> None:
    with pytest.raises(OrderViolation):
        check_order(ANSWER[:length])


ILLEGAL: dict[str, tuple[str, Transcript]] = {
    "a thread in the middle": ("not the first", BEGINNING + THREAD),
    "something after the pause": (
        "after the run ended or paused",
        [*FUNCTION_CALL[:-1], ("thread.run.step.completed", step("completed", CALL))],
    ),
    "something after an error": ("after 'error'", BEGINNING + BROKEN + WRITING),
    "a run that ends while its message is open": (
        "msg_1 is still open|step_1 is still open",
        BEGINNING + WRITING + [("thread.run.failed", run("failed"))],
    ),
    "a step that ends before its message": (
        "ends before its message",
        BEGINNING + WRITING + [ENDING[1]],
    ),
    "a step that starts as something else": (
        "step_1 is 'completed' in 'created'",
        [*BEGINNING, ("thread.run.step.created", step("completed"))],
    ),
    "a run whose status is not its event's": (
        "wrong status",
        [*BEGINNING[:2], ("thread.run.in_progress", run("queued"))],
    ),
    "another run": (
        "another thread.run",
        [*BEGINNING[:1], ("thread.run.queued", run("queued") | {"id": "run_2"})],
    ),
    "a message that is born with content": (
        "already has content",
        BEGINNING + WRITING[:2] + [("thread.message.created", message("in_progress", "Hi"))],
    ),
    "a delta of another message": (
        "delta after None",
        BEGINNING + WRITING[:4] + [(delta("x")[0], delta("x")[1] | {"id": "msg_2"})],
    ),
}


@pytest.mark.parametrize(("complaint", "transcript"), ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_stream_is_refused_with_the_reason(
    complaint: str, transcript: Transcript
) -> None:
    with pytest.raises(OrderViolation, match=complaint):
        check_order(transcript)


def changed(name: str, change: Callable[[JSON], None]) -> Transcript:
    """The answer with one event's data changed."""
    copy = [(event, deepcopy(data)) for event, data in ANSWER]
    change(next(data for event, data in copy if event == name))
    return copy


def test_the_deltas_must_add_up_to_the_message() -> None:
    def shorten(data: JSON) -> None:
        data["content"][0]["text"]["value"] = "Hell"

    with pytest.raises(OrderViolation, match="deltas add up to"):
        check_order(changed("thread.message.completed", shorten))


def test_a_completed_message_may_not_hold_a_part_that_was_not_streamed() -> None:
    def add_part(data: JSON) -> None:
        data["content"].append({"type": "refusal", "refusal": "No."})

    with pytest.raises(OrderViolation, match="deltas add up to"):
        check_order(changed("thread.message.completed", add_part))


def test_the_deltas_of_a_step_must_add_up_to_it() -> None:
    written_by_another = deepcopy(CALL)
    written_by_another["tool_calls"][0]["function"]["arguments"] = "{1}"
    end = [("thread.run.step.completed", step("completed", written_by_another))]

    with pytest.raises(OrderViolation, match="the step's deltas"):
        check_order(FUNCTION_CALL[:-2] + end)


def test_a_name_that_is_sent_twice_is_a_doubled_name() -> None:
    first = call_delta(name="add", arguments="{}")[1]["delta"]
    folded = fold(fold({}, first), first)

    assert folded["step_details"]["tool_calls"][0]["function"]["name"] == "addadd"


@pytest.mark.parametrize("entry", [{"type": "text"}, "text", {"index": 1, "type": "text"}])
def test_list_entries_need_an_index_that_leaves_no_gap(entry: Any) -> None:
    with pytest.raises(OrderViolation, match="index"):
        fold({}, {"content": [entry]})
