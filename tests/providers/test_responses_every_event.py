"""Every event that the client library knows of the Responses API, put into the middle of an answer.

The list is the library's: an event that it learns fails a test here until somebody has looked at
it. Each shape is one the library takes for that event.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Annotated,
    CallArguments,
    CallKind,
    CallResult,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    MessageStart,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from tests.providers.responses_frames import (
    JSON,
    SERVER,
    Event,
    ResponsesServer,
    added,
    answer_of,
    call_item,
    created,
    done,
    ended,
    message_item,
    responses_server,
    said,
)

HELLO = TextDelta("Hello.")
STOP = Finish(FinishReason.STOP)
PLACE: JSON = {"item_id": "item_0", "output_index": 0}


@dataclass(frozen=True)
class Shape:
    """An event, what came before it, and what is shown on account of both before `HELLO`."""

    event: Event
    before: Sequence[Event] = ()
    brings: Sequence[Delta] = ()
    without_greeting: bool = False


def of_item(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", **PLACE, **fields}


def item(kind: str, **fields: Any) -> JSON:
    return {"id": "item_0", "type": kind, "status": "in_progress", **fields}


def whole_response(status: str, *output: JSON, **fields: Any) -> JSON:
    """A response with all that the library wants to see in one."""
    return {
        **{"id": "resp_1", "object": "response", "created_at": 1, "model": "m"},
        **{"status": status, "output": list(output), "tools": [], "tool_choice": "auto"},
        **{"parallel_tool_calls": True, "error": None, **fields},
    }


def lifecycle(status: str, *output: JSON, **fields: Any) -> Event:
    told = whole_response("queued" if status == "created" else status, *output, **fields)
    return {"type": f"response.{status}", "response": told}


def opened(call: JSON, *deltas: Delta) -> dict[str, Any]:
    return {"before": [added(call)], "brings": deltas}


USAGE = {
    **{"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
CODE = item("code_interpreter_call", code="", container_id="c", outputs=None)
RAN: list[Delta] = [
    CallStart(0, "item_0", "code_interpreter", CallKind.CODE_INTERPRETER),
    CallResult(0, ()),
]
RAN_CODE: list[Delta] = [RAN[0], CallArguments(0, "1+1"), RAN[1]]
SEARCH = item("file_search_call", queries=["x"])
SEARCHED: list[Delta] = [
    CallStart(0, "item_0", "file_search", CallKind.FILE_SEARCH),
    CallArguments(0, '{"queries":["x"]}'),
    CallResult(0, ()),
]
WEB = item("web_search_call", action={"type": "search", "query": "x"})
FOUND: list[Delta] = [
    CallStart(0, "item_0", "web_search", CallKind.HOSTED),
    CallArguments(0, '{"type":"search","query":"x"}'),
    CallResult(0, ("Done.",)),
]
MCP = item("mcp_call", name="find", server_label="notes", arguments="")
ASKED: list[Delta] = [
    CallStart(0, "item_0", "mcp.find", CallKind.HOSTED),
    CallResult(0, ("Done.",)),
]
ASKED_WITH: list[Delta] = [ASKED[0], CallArguments(0, "{}"), ASKED[1]]
IMAGE = item("image_generation_call", result=None)
DREW: list[Delta] = [
    CallStart(0, "item_0", "image_generation", CallKind.HOSTED),
    CallArguments(0, "{}"),
    CallResult(0, ("It failed.",)),
]
SHELL = item("shell_call", call_id="call_0", action={"commands": ["ls"]})
LISTED: list[Delta] = [
    CallStart(0, "item_0", "shell", CallKind.HOSTED),
    CallArguments(0, '{"action":{"commands":["ls"]}}'),
    CallResult(0, ()),
]
CUSTOM = {**item("custom_tool_call", call_id="call_0", name="sql", input="")}
QUERIED: list[Delta] = [
    CallStart(0, "item_0", "sql", CallKind.HOSTED),
    CallArguments(0, '{"input":"select"}'),
    CallResult(0, ()),
]
FUNCTION = {**call_item(""), "id": "item_0"}
WEATHER = CallStart(0, "call_0", "weather")
TEXT_PART = {"type": "output_text", "text": "Well.", "annotations": []}
STDOUT = {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
SUMMARY_PART = {"type": "summary_text", "text": "Hm."}
CITATION = {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 0}
MARKER = "【0†a.txt】"
MARKED: list[Delta] = [TextDelta(MARKER), Annotated(MARKER, 0, 9, file_id="file_1"), MessageStart()]
WELL: list[Delta] = [TextDelta("Well."), MessageStart()]


def called(arguments: str) -> list[Delta]:
    return [WEATHER, CallArguments(0, arguments)]


SHAPES = [
    Shape({"type": "response.audio.delta", "delta": "AAAA"}),
    Shape({"type": "response.audio.done"}),
    Shape({"type": "response.audio.transcript.delta", "delta": "Hm"}),
    Shape({"type": "response.audio.transcript.done"}),
    Shape(
        of_item("code_interpreter_call_code.delta", delta="1+1"),
        [added(CODE)],
        RAN_CODE,
    ),
    Shape(of_item("code_interpreter_call_code.done", code="1+1"), [added(CODE)], RAN_CODE),
    Shape(of_item("code_interpreter_call.completed"), [added(CODE)], RAN),
    Shape(of_item("code_interpreter_call.in_progress"), [added(CODE)], RAN),
    Shape(of_item("code_interpreter_call.interpreting"), [added(CODE)], RAN),
    Shape(of_item("compaction.compacting"), [added(item("compaction", encrypted_content="x"))]),
    Shape(
        lifecycle("completed", message_item("Hello.", 9), usage=USAGE),
        brings=[HELLO, Usage(3, 2, 1), STOP],
        without_greeting=True,
    ),
    Shape(of_item("content_part.added", content_index=0, part={**TEXT_PART, "text": ""})),
    Shape(of_item("content_part.done", content_index=0, part=TEXT_PART), brings=WELL),
    Shape(lifecycle("created")),
    Shape({"type": "error", "code": "server_error", "message": "Dead.", "param": None}),
    Shape(of_item("file_search_call.completed"), [added(SEARCH)], SEARCHED),
    Shape(of_item("file_search_call.in_progress"), [added(SEARCH)], SEARCHED),
    Shape(of_item("file_search_call.searching"), [added(SEARCH)], SEARCHED),
    Shape(
        of_item("function_call_arguments.delta", delta='{"a": 1}'),
        [added(FUNCTION)],
        called('{"a": 1}'),
    ),
    Shape(
        of_item("function_call_arguments.done", arguments='{"a": 1}'),
        [added(FUNCTION)],
        called('{"a": 1}'),
    ),
    Shape(
        {"type": "response.shell_call_command.added", "command": "", "command_index": 0},
        [added(SHELL)],
        LISTED,
    ),
    Shape(
        {"type": "response.shell_call_command.delta", "delta": "ls", "command_index": 0},
        [added(SHELL)],
        LISTED,
    ),
    Shape(
        {"type": "response.shell_call_command.done", "command": "ls", "command_index": 0},
        [added(SHELL)],
        LISTED,
    ),
    Shape(
        of_item("shell_call_output_content.delta", command_index=0, delta={"stdout": "a"}),
        [added(SHELL)],
        LISTED,
    ),
    Shape(
        of_item("shell_call_output_content.done", command_index=0, output=[STDOUT]),
        [added(SHELL)],
        LISTED,
    ),
    Shape(lifecycle("in_progress")),
    Shape(lifecycle("failed", error={"code": "server_error", "message": "Dead."})),
    Shape(
        lifecycle("incomplete", incomplete_details={"reason": "content_filter"}),
        brings=[Finish(FinishReason.CONTENT_FILTER)],
        without_greeting=True,
    ),
    Shape(added(WEB), brings=FOUND),
    Shape(done({**WEB, "status": "completed"}), brings=FOUND),
    Shape(
        of_item("reasoning_summary_part.added", summary_index=0, part=SUMMARY_PART),
        [added(item("reasoning", summary=[]))],
    ),
    Shape(
        of_item("reasoning_summary_part.done", summary_index=0, part=SUMMARY_PART),
        [added(item("reasoning", summary=[]))],
    ),
    Shape(
        of_item("reasoning_summary_text.delta", summary_index=0, delta="Hm."),
        brings=[ReasoningDelta("Hm.")],
    ),
    Shape(
        of_item("reasoning_summary_text.done", summary_index=0, text="Hm."),
        brings=[ReasoningDelta("Hm.")],
    ),
    Shape(
        of_item("reasoning_text.delta", content_index=0, delta="Hm."),
        brings=[ReasoningDelta("Hm.")],
    ),
    Shape(
        of_item("reasoning_text.done", content_index=0, text="Hm."),
        brings=[ReasoningDelta("Hm.")],
    ),
    Shape(
        of_item("refusal.delta", content_index=0, delta="No."),
        brings=[RefusalDelta("No."), MessageStart()],
    ),
    Shape(
        of_item("refusal.done", content_index=0, refusal="No."),
        brings=[RefusalDelta("No."), MessageStart()],
    ),
    Shape(of_item("output_text.delta", content_index=0, delta="Well.", logprobs=[]), brings=WELL),
    Shape(of_item("output_text.done", content_index=0, text="Well.", logprobs=[]), brings=WELL),
    Shape(of_item("web_search_call.completed"), [added(WEB)], FOUND),
    Shape(of_item("web_search_call.in_progress"), [added(WEB)], FOUND),
    Shape(of_item("web_search_call.searching"), [added(WEB)], FOUND),
    Shape(of_item("image_generation_call.completed"), [added(IMAGE)], DREW),
    Shape(of_item("image_generation_call.generating"), [added(IMAGE)], DREW),
    Shape(of_item("image_generation_call.in_progress"), [added(IMAGE)], DREW),
    Shape(
        of_item(
            "image_generation_call.partial_image", partial_image_b64="AA", partial_image_index=0
        ),
        [added(IMAGE)],
        DREW,
    ),
    Shape(of_item("mcp_call_arguments.delta", delta="{}"), [added(MCP)], ASKED_WITH),
    Shape(of_item("mcp_call_arguments.done", arguments="{}"), [added(MCP)], ASKED_WITH),
    Shape(of_item("mcp_call.completed"), [added(MCP)], ASKED),
    Shape(of_item("mcp_call.failed"), [added(MCP)], ASKED),
    Shape(of_item("mcp_call.in_progress"), [added(MCP)], ASKED),
    Shape(of_item("mcp_list_tools.completed")),
    Shape(of_item("mcp_list_tools.failed")),
    Shape(of_item("mcp_list_tools.in_progress")),
    Shape(
        of_item(
            "output_text.annotation.added",
            content_index=0,
            annotation_index=0,
            annotation=CITATION,
        ),
        brings=MARKED,
    ),
    Shape(lifecycle("queued")),
    Shape(of_item("custom_tool_call_input.delta", delta="select"), [added(CUSTOM)], QUERIED),
    Shape(of_item("custom_tool_call_input.done", input="select"), [added(CUSTOM)], QUERIED),
]


def known_events() -> dict[str, type[BaseModel]]:
    """The classes of the library's union, by the `type` of their events."""
    (union, *_) = get_args(ResponseStreamEvent)
    return {get_args(each.model_fields["type"].annotation)[0]: each for each in get_args(union)}


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


def test_every_event_of_the_library_has_a_shape_here() -> None:
    shapes = [shape.event["type"] for shape in SHAPES]

    assert sorted(shapes) == sorted(known_events())


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.event["type"])
def test_the_shape_is_one_of_the_librarys(shape: Shape) -> None:
    event = {"sequence_number": 3, "output_index": 0, **shape.event}
    model = known_events()[shape.event["type"]]

    known = model.model_validate(event).model_dump(exclude_unset=True)

    assert known.keys() - {"output_index"} <= event.keys()
    # Nothing that the library does not know of, but for what its events without a number lack.
    assert not (shape.event.keys() - set(model.model_fields))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.event["type"])
async def test_the_answer_survives_the_event_and_shows_what_it_brings(
    server: ResponsesServer, shape: Shape
) -> None:
    events = [created(), *shape.before, shape.event, *said("Hello.", index=9), ended()]
    server.say(*events)

    if shape.event["type"] in ("error", "response.failed"):
        with pytest.raises(UpstreamError, match="Dead"):
            await answer_of(server)
        return
    answer = await answer_of(server)

    if shape.without_greeting:
        assert answer == list(shape.brings)
        return
    assert answer[: len(shape.brings)] == list(shape.brings)
    rest = answer[len(shape.brings) :]
    assert rest[0] == HELLO
    is_called = any(one == WEATHER for one in shape.brings)
    assert [type(one) for one in rest[1:]] == ([Remember, Finish] if is_called else [Finish])


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.telepathy.delta", "delta": "…", **PLACE},
        {"type": "response.telepathy", "item": 7},
        {"type": "keepalive"},
        {"type": ""},
        {"type": None},
        {"type": 5},
        {},
        {"type": "response.output_item.added"},
        {"type": "response.output_item.added", "item": None},
        {"type": "response.output_item.done", "item": {"type": 3}},
        {"type": "response.output_item.done", "output_index": "x", "item": {"type": "message"}},
        {"type": "response.output_item.done", "item": {"type": "telepathy", "id": "t"}},
        {"type": "response.output_item.done", "item": {"type": "message", "content": [None, 1]}},
        {"type": "response.output_item.done", "item": {"type": "reasoning", "summary": ["x"]}},
        {"type": "response.output_item.done", "item": {"type": "what_output", "call_id": None}},
        {"type": "response.content_part.done", "part": None, **PLACE},
        {"type": "response.content_part.done", "part": {"type": "output_audio"}, **PLACE},
        {"type": "response.output_text.delta"},
        {"type": "response.output_text.delta", "delta": None, "item_id": [], "output_index": -1},
        {"type": "response.output_text.done", "text": {}},
        {"type": "response.output_text.annotation.added", "annotation": {"type": []}},
        {"type": "response.created", "response": None},
        {"type": "response.in_progress"},
        {"type": "response.reasoning_summary_text.delta", "delta": 1, "summary_index": "a"},
        {"type": "response.mcp_call_arguments.delta", "delta": None},
    ],
)
async def test_the_answer_survives_what_nobody_has_heard_of(
    server: ResponsesServer, event: Event
) -> None:
    server.say(created(), event, *said("Hello.", index=9), ended())

    answer = await answer_of(server)

    assert [one for one in answer if isinstance(one, TextDelta)] == [HELLO]
    assert answer[-1] == STOP


async def test_what_is_to_be_remembered_names_the_server(server: ResponsesServer) -> None:
    server.say(created(), done(call_item()), ended())

    (memory,) = (one for one in await answer_of(server) if isinstance(one, Remember))
    assert memory.server == SERVER
