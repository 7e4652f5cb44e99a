"""Tools that the server of the Responses API executes itself: what is shown of them."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    CallArguments,
    CallKind,
    CallResult,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ImageMade,
    Noticed,
    ProducedFile,
    TextDelta,
)
from tests.providers.responses_frames import (
    JSON,
    Event,
    Reply,
    ResponsesServer,
    added,
    answer_of,
    asking,
    called,
    client_of,
    created,
    done,
    ended,
    provider_of,
    responses_server,
    said,
)

STOP = Finish(FinishReason.STOP)
PNG = b"\x89PNG\r\n\x1a\nbytes"
ENCODED = base64.b64encode(PNG).decode()


@pytest.fixture(scope="module")
def running() -> Iterator[ResponsesServer]:
    with responses_server() as server:
        yield server


@pytest.fixture
def server(running: ResponsesServer) -> ResponsesServer:
    running.reset()
    return running


def item(kind: str, **fields: Any) -> JSON:
    return {"id": "it_0", "type": kind, "status": "completed", **fields}


def piece(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", "item_id": "it_0", "output_index": 0, **fields}


async def shown(server: ResponsesServer, *items: JSON) -> list[Delta]:
    """What is shown of items that come one after the other, before the end."""
    events = []
    for index, each in enumerate(items):
        events += [added({**each, "status": "in_progress"}, index), done(each, index)]
    server.say(created(), *events, ended("completed", *items))
    answer = await answer_of(server)
    assert answer[-1] == STOP
    return answer[:-1]


async def bytes_of(file: object) -> bytes:
    assert isinstance(file, ProducedFile)
    return b"".join([piece async for piece in file.read()])


async def test_code_is_shown_while_it_is_written_and_then_what_it_printed(
    server: ResponsesServer,
) -> None:
    begun = item("code_interpreter_call", code="", outputs=None, container_id="cntr_1")
    outputs = [{"type": "logs", "logs": "4\n"}, {"type": "logs", "logs": "5\n"}]
    whole = {**begun, "code": "print(2 + 2)", "outputs": outputs}
    server.say(
        created(),
        added(begun),
        piece("code_interpreter_call.in_progress"),
        piece("code_interpreter_call_code.delta", delta="print("),
        piece("code_interpreter_call_code.delta", delta="2 + 2)"),
        piece("code_interpreter_call_code.done", code="print(2 + 2)"),
        piece("code_interpreter_call.interpreting"),
        piece("code_interpreter_call.completed"),
        done(whole),
        *said("Four.", index=1),
        ended("completed", whole),
    )

    assert await answer_of(server) == [
        CallStart(0, "it_0", "code_interpreter", CallKind.CODE_INTERPRETER),
        CallArguments(0, "print("),
        CallArguments(0, "2 + 2)"),
        CallResult(0, ("4\n", "5\n")),
        TextDelta("Four."),
        STOP,
    ]


async def test_images_that_code_drew_are_read_from_the_server_and_from_nobody_else(
    server: ResponsesServer,
) -> None:
    outputs = [
        {"type": "image", "url": f"data:image/png;base64,{ENCODED}"},
        {"type": "image", "url": f"{server.url}/containers/c/files/f/content"},
        {"type": "image", "url": "https://elsewhere.example/x.png"},
        {"type": "image", "url": "http://[broken"},
        {"type": "image", "url": "data:text/html,<b>"},
        {"type": "files", "files": [{"file_id": "cfile_1", "filename": "/mnt/data/x.csv"}]},
        {"type": "hologram"},
    ]
    call = item("code_interpreter_call", code="plot()", outputs=outputs, container_id="cntr/1")
    server.say(created(), done(call), ended())
    server.reply(Reply([PNG]), to="GET containers/c/files/f/content")
    server.reply(Reply([b"a,b"]), to="GET containers/cntr/1/files/cfile_1/content")

    async with client_of(server) as client:
        answer = [one async for one in provider_of(client, server).stream(asking())]
        (result,) = (one for one in answer if isinstance(one, CallResult))
        assert [await bytes_of(file) for file in result.outputs] == [PNG, PNG, b"a,b"]

    files = [file for file in result.outputs if isinstance(file, ProducedFile)]
    # In sight as well, and as the same files: each is copied once.
    assert [one.file for one in answer if isinstance(one, ImageMade)] == files[:2]
    assert [file.name for file in files] == ["image.png", "image.png", "x.csv"]
    assert all(asked.authorized for asked in server.asked)
    assert len(server.asked) == 3


async def test_an_image_that_is_none_is_an_error_to_who_reads_it(
    server: ResponsesServer,
) -> None:
    outputs = [{"type": "image", "url": "data:image/png;base64,A"}]
    call = item("code_interpreter_call", code="plot()", outputs=outputs, container_id="c")

    (_, _, result, made) = await shown(server, call)

    assert isinstance(result, CallResult)
    assert isinstance(made, ImageMade)
    assert made.file is result.outputs[0]
    with pytest.raises(UpstreamError, match="cannot be read"):
        await bytes_of(result.outputs[0])


async def test_a_file_search_shows_what_it_looked_for_and_what_it_found(
    server: ResponsesServer,
) -> None:
    found = {"file_id": "file_1", "filename": "a.txt", "score": 0.7, "text": "It is so."}
    call = item("file_search_call", queries=["is it", "so"], results=[found, {}])

    assert await shown(server, call) == [
        CallStart(0, "it_0", "file_search", CallKind.FILE_SEARCH),
        CallArguments(0, '{"queries":["is it","so"]}'),
        CallResult(
            0,
            (
                {"file_id": "file_1", "file_name": "a.txt", "score": 0.7, "text": "It is so."},
                {"file_id": "", "file_name": "", "score": 0.0, "text": ""},
            ),
        ),
    ]


async def test_a_file_search_may_tell_no_results(server: ResponsesServer) -> None:
    call = item("file_search_call", queries=["x"], results=None)

    assert (await shown(server, call))[-1] == CallResult(0, ())


@pytest.mark.parametrize(
    ("fields", "arguments", "result"),
    [
        (
            {"action": {"type": "search", "query": "tide", "queries": None}},
            {"type": "search", "query": "tide"},
            "Done.",
        ),
        (
            {
                "action": {
                    "type": "search",
                    "query": "tide",
                    "sources": [
                        {"type": "url", "url": "https://a.example"},
                        {"type": "url", "url": "https://b.example"},
                    ],
                }
            },
            {"type": "search", "query": "tide"},
            "https://a.example\nhttps://b.example",
        ),
        (
            {"action": {"type": "open_page", "url": "https://a.example"}},
            {"type": "open_page", "url": "https://a.example"},
            "Done.",
        ),
        ({"action": {"type": "search"}, "status": "failed"}, {"type": "search"}, "It failed."),
        ({}, {}, "Done."),
    ],
)
async def test_a_search_of_the_web(
    server: ResponsesServer, fields: JSON, arguments: JSON, result: str
) -> None:
    start, given, brought = await shown(server, item("web_search_call", **fields))

    assert start == CallStart(0, "it_0", "web_search", CallKind.HOSTED)
    assert isinstance(given, CallArguments)
    assert json.loads(given.text) == arguments
    assert brought == CallResult(0, (result,))


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ({"output": "3 notes"}, "3 notes"),
        ({"output": None}, "Done."),
        ({"error": "no such note"}, "no such note"),
        ({"error": {"type": "http_error", "code": 502, "message": "bad gateway"}}, "bad gateway"),
        (
            {
                "error": {
                    "type": "mcp_tool_execution_error",
                    "content": [{"type": "text", "text": "no"}, {"type": "text", "text": "way"}],
                }
            },
            "no\nway",
        ),
        ({"error": {"code": 1}}, '{"code": 1}'),
    ],
)
async def test_a_tool_of_another_server(
    server: ResponsesServer, outcome: JSON, result: str
) -> None:
    begun = item("mcp_call", name="search", server_label="notes", arguments="")
    whole = {**begun, "arguments": '{"q": 1}', **outcome}
    server.say(
        created(),
        done({"id": "l", "type": "mcp_list_tools", "server_label": "notes", "tools": []}, 5),
        added(begun),
        piece("mcp_call.in_progress"),
        piece("mcp_call_arguments.delta", delta='{"q"'),
        piece("mcp_call_arguments.delta", delta=": 1}"),
        piece("mcp_call_arguments.done", arguments='{"q": 1}'),
        piece("mcp_call.completed"),
        done(whole),
        ended(),
    )

    assert await answer_of(server) == [
        CallStart(0, "it_0", "mcp.search", CallKind.HOSTED),
        CallArguments(0, '{"q"'),
        CallArguments(0, ": 1}"),
        CallResult(0, (result,)),
        STOP,
    ]


async def test_a_tool_that_asks_for_approval_ends_the_answer_with_a_word_about_it(
    server: ResponsesServer,
) -> None:
    request = item("mcp_approval_request", name="wipe", server_label="disk", arguments="{}")

    notice, text = await shown(server, request)

    assert isinstance(notice, Noticed)
    assert (notice.code, notice.details) == (
        "approval_impossible",
        {"tool": "wipe", "server": "disk"},
    )
    assert "'wipe' of 'disk'" in notice.message
    assert text == TextDelta(notice.message)


async def test_what_the_model_said_itself_about_an_approval_is_enough(
    server: ResponsesServer,
) -> None:
    request = item("mcp_approval_request", name="wipe", server_label="disk", arguments="{}")
    server.say(created(), done(request), *said("May I?", index=1), ended())

    answer = await answer_of(server)

    assert [one for one in answer if isinstance(one, TextDelta)] == [TextDelta("May I?")]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({}, "image.png"),
        ({"output_format": "jpeg"}, "image.jpg"),
        ({"output_format": "../x"}, "image.png"),
    ],
)
async def test_an_image_is_shown_when_it_is_whole(
    server: ResponsesServer, told: JSON, name: str
) -> None:
    call = item("image_generation_call", result=ENCODED, revised_prompt="A cat", **told)

    start, arguments, result, image = await shown(server, call)

    assert start == CallStart(0, "it_0", "image_generation", CallKind.HOSTED)
    assert arguments == CallArguments(0, '{"revised_prompt":"A cat"}')
    assert result == CallResult(0, ("Done.",))
    assert isinstance(image, ImageMade)
    assert image.file.name == name
    assert await bytes_of(image.file) == PNG


async def test_drafts_of_an_image_are_not_shown(server: ResponsesServer) -> None:
    draft = piece("image_generation_call.partial_image", partial_image_b64=ENCODED)
    server.say(created(), added(item("image_generation_call")), draft, ended())

    answer = await answer_of(server)

    assert [type(one) for one in answer] == [CallStart, CallArguments, CallResult, Finish]


@pytest.mark.parametrize(
    ("told", "words"), [({"error": {"message": "Not that."}}, "Not that."), ({}, "It failed.")]
)
async def test_an_image_that_was_not_made(server: ResponsesServer, told: JSON, words: str) -> None:
    call = item("image_generation_call", status="failed", result=None, **told)

    assert (await shown(server, call))[1:] == [
        CallArguments(0, "{}"),
        CallResult(0, (words,)),
    ]


SHELL = {"call_id": "call_0", "action": {"commands": ["ls"]}}
LISTED = [{"stdout": "a.txt\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]


@pytest.mark.parametrize(
    ("call", "output", "name", "arguments", "result"),
    [
        (
            item("shell_call", **SHELL),
            {"type": "shell_call_output", "call_id": "call_0", "output": LISTED},
            "shell",
            {"action": {"commands": ["ls"]}},
            ("a.txt\n",),
        ),
        (item("local_shell_call", **SHELL), None, "local_shell", {"action": SHELL["action"]}, ()),
        (
            item("apply_patch_call", call_id="call_0", operation={"type": "delete_file"}),
            {"type": "apply_patch_call_output", "call_id": "call_0", "output": "ok"},
            "apply_patch",
            {"operation": {"type": "delete_file"}},
            ("ok",),
        ),
        (
            item("computer_call", call_id="call_0", action={"type": "click"}),
            {
                "type": "computer_call_output",
                "call_id": "call_0",
                "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,A"},
            },
            "computer",
            {"action": {"type": "click"}},
            ("computer_screenshot",),
        ),
        (
            item("custom_tool_call", call_id="call_0", name="sql", input="select 1"),
            {"type": "custom_tool_call_output", "call_id": "call_0", "output": [{"text": "1"}]},
            "sql",
            {"input": "select 1"},
            ("1",),
        ),
        (
            item("program", call_id="call_0", code="f()", fingerprint="x"),
            {"type": "program_output", "call_id": "call_0", "result": "7"},
            "program",
            {"code": "f()", "fingerprint": "x"},
            ("7",),
        ),
        (
            item("tool_search_call", call_id="call_0", arguments={"q": "x"}, execution="server"),
            {"type": "tool_search_output", "call_id": "call_0", "tools": [{"name": "found"}]},
            "tool_search",
            {"arguments": {"q": "x"}, "execution": "server"},
            ("found",),
        ),
        (item("dream_call", about="sheep"), None, "dream", {"about": "sheep"}, ()),
    ],
)
async def test_other_tools_are_shown_with_what_they_say(
    server: ResponsesServer,
    call: JSON,
    output: JSON | None,
    name: str,
    arguments: JSON,
    result: tuple[str, ...],
) -> None:
    start, given, brought = await shown(server, call, *([output] if output else []))

    assert start == CallStart(0, "it_0", name, CallKind.HOSTED)
    assert isinstance(given, CallArguments)
    assert json.loads(given.text) == arguments
    assert brought == CallResult(0, result)


async def test_input_of_a_tool_that_is_only_streamed_is_shown_whole(
    server: ResponsesServer,
) -> None:
    server.say(
        created(),
        added(item("custom_tool_call", call_id="call_0", name="sql", input="")),
        piece("custom_tool_call_input.delta", delta="select"),
        piece("custom_tool_call_input.delta", delta=" 1"),
        ended(),
    )

    assert (await answer_of(server))[1] == CallArguments(0, '{"input":"select 1"}')


async def test_a_result_comes_before_any_text_that_follows_it(server: ResponsesServer) -> None:
    search = item("web_search_call", action={"type": "search", "query": "x"})
    server.say(created(), added(search), *said("So.", index=1), done(search), ended())

    kinds = [type(one) for one in await answer_of(server)]

    assert kinds == [CallStart, CallArguments, CallResult, TextDelta, Finish]


async def test_tools_and_functions_are_counted_together(server: ResponsesServer) -> None:
    search = item("web_search_call", action={"type": "search"})
    server.say(created(), added(search), done(search), *called("{}", index=1), ended())

    answer = await answer_of(server)

    starts = [one for one in answer if isinstance(one, CallStart)]
    assert [(start.index, start.kind) for start in starts] == [
        (0, CallKind.HOSTED),
        (1, CallKind.FUNCTION),
    ]
    assert answer[-1] == Finish(FinishReason.TOOL_CALLS)


async def test_tools_of_which_only_the_whole_response_tells_are_shown(
    server: ResponsesServer,
) -> None:
    search = item("file_search_call", queries=["x"], results=[])
    server.say(created(), ended("completed", search))

    assert [type(one) for one in await answer_of(server)] == [
        CallStart,
        CallArguments,
        CallResult,
        Finish,
    ]


async def test_what_a_remote_tool_is_authorized_by_stands_in_no_error(
    server: ResponsesServer,
) -> None:
    tool = {
        "type": "mcp",
        "authorization": "token-0123456789",
        "headers": {"X-Key": "Bearer other-0123456789", "X-Plain": "yes"},
    }
    server.tell({"error": {"message": f"Invalid, yes: {tool}"}}, 400)

    with pytest.raises(UpstreamError) as refused:
        await answer_of(server, asking(hosted_tools=[tool]), hosts_tools=True)
    for words in (refused.value.message, str(refused.value)):
        assert "0123456789" not in words
        assert "Invalid, yes" in words
