"""Tools that the model server executes itself: run steps, files and messages made of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from streamlit_assistant import responses
from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Annotated,
    CallArguments,
    CallKind,
    CallResult,
    CallsMessage,
    CallStart,
    Finish,
    FinishReason,
    FunctionCall,
    ImageMade,
    MessageStart,
    Noticed,
    OutputMessage,
    ProducedFile,
    PromptMessage,
    ReasoningDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.records import RunStatus, StepStatus
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.runs.test_executor import Site, site
from tests.runs.test_tool_calls import CALLS, WEATHER, call, check, names, steps
from tests.scripted_provider import STOP, Line

pytestmark = pytest.mark.both_databases

CODE: list[Line] = [
    CallStart(0, "ci_abc", "code_interpreter", CallKind.CODE_INTERPRETER),
    CallArguments(0, "print("),
    CallArguments(0, "6*7)"),
]
SEARCH: list[Line] = [
    CallStart(0, "ws_abc", "web_search", CallKind.HOSTED),
    CallArguments(0, '{"query": "rain"}'),
    CallResult(0, ["2 pages found"]),
]


def produced(name: str, data: bytes = b"data") -> ProducedFile:
    async def read() -> AsyncIterator[bytes]:
        yield data

    return ProducedFile(name, read)


def lost(name: str) -> ProducedFile:
    async def read() -> AsyncIterator[bytes]:
        raise UpstreamError("The container has expired.")
        yield b""

    return ProducedFile(name, read)


async def told(s: Site, **fields: Any) -> tuple[list[tuple[int, str, Any]], Any]:
    """The events and the outcome of a run that was asked for."""
    run = await s.ask("hello", **fields)
    events = await s.events(run)
    check(events)
    return events, await s.store.runs.get(run.thread_id, run.id)


async def test_code_that_was_executed_is_a_step_of_its_own(store: Store, clock: FakeClock) -> None:
    result = CallResult(0, ["42\n", produced("plot.png", b"PNG")])
    said: list[Line] = [*CODE, result, "It is ", "42.", Usage(9, 4), STOP]
    async with site(store, clock, said) as s:
        events, run = await told(s)
        done = await steps(s, run)
        kept = s.files.kept
        answer = await s.answer()

    assert run.status is RunStatus.COMPLETED
    assert answer[0] == "It is 42."
    assert kept == {"file-0": ("plot.png", b"PNG")}
    assert [(step.type, step.status) for step in done] == [
        ("tool_calls", StepStatus.COMPLETED),
        ("message_creation", StepStatus.COMPLETED),
    ]
    assert done[0].step_details["tool_calls"] == [
        {
            "id": "ci_abc",
            "type": "code_interpreter",
            "code_interpreter": {
                "input": "print(6*7)",
                "outputs": [
                    {"type": "logs", "logs": "42\n"},
                    {"type": "image", "image": {"file_id": "file-0"}},
                ],
            },
        }
    ]
    order = names(events)
    assert order.index("run.step.completed") < order.index("message.created")


async def test_a_tool_the_protocol_does_not_know_is_shown_as_an_answered_function(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [*SEARCH, "Rain.", STOP]) as s:
        _, run = await told(s)
        done = await steps(s, run)

    assert (run.status, run.required_action) == (RunStatus.COMPLETED, None)
    assert responses.run_step(done[0])["step_details"]["tool_calls"] == [
        {
            "id": "ws_abc",
            "type": "function",
            "function": {
                "name": "web_search",
                "arguments": '{"query": "rain"}',
                "output": "2 pages found",
            },
        }
    ]


async def test_a_search_in_the_servers_own_stores_shows_what_it_found(
    store: Store, clock: FakeClock
) -> None:
    found = {"file_id": "file-up", "file_name": "a.pdf", "score": 0.9, "text": "Rain falls."}
    said: list[Line] = [
        CallStart(0, "fs_abc", "file_search", CallKind.FILE_SEARCH),
        CallArguments(0, '{"queries": ["rain"]}'),
        CallResult(0, [found]),
        "See ",
        "【0†a.pdf】",
        Annotated("【0†a.pdf】", 4, 13, file_id="file-up"),
        ".",
        STOP,
    ]
    async with site(store, clock, said) as s:
        _, run = await told(s, includes_results=True)
        done = await steps(s, run)
        message = (await store.messages.newest(s.thread_id, 1))[0]

    result = done[0].step_details["tool_calls"][0]["file_search"]["results"][0]
    assert (result["file_id"], result["content"][0]["text"]) == ("file-up", "Rain falls.")
    text = message.content[0]["text"]
    assert text["value"] == "See 【0†a.pdf】."
    assert text["annotations"] == [
        {
            "type": "file_citation",
            "text": "【0†a.pdf】",
            "start_index": 4,
            "end_index": 13,
            "file_citation": {"file_id": "file-up"},
        }
    ]


async def test_files_that_are_made_become_ours_and_annotations_lead_to_them(
    store: Store, clock: FakeClock
) -> None:
    table = produced("table.csv", b"a,b")
    where = "sandbox:/mnt/data/table.csv"
    said: list[Line] = [
        where,
        Annotated(where, 0, len(where), file=table),
        Annotated(where, 0, len(where), file=table),
        ImageMade(produced("image.png", b"PNG")),
        STOP,
    ]
    async with site(store, clock, said) as s:
        await told(s)
        message = (await store.messages.newest(s.thread_id, 1))[0]
        kept = s.files.kept

    assert kept == {"file-0": ("table.csv", b"a,b"), "file-1": ("image.png", b"PNG")}
    assert [part["type"] for part in message.content] == ["text", "image_file"]
    paths = [note["file_path"]["file_id"] for note in message.content[0]["text"]["annotations"]]
    assert paths == ["file-0", "file-0"]
    assert message.content[1]["image_file"] == {"file_id": "file-1"}


async def test_a_file_that_cannot_be_fetched_costs_the_answer_nothing(
    store: Store, clock: FakeClock
) -> None:
    said: list[Line] = ["Here: x", Annotated("x", 6, 7, file=lost("x.csv")), STOP]
    async with site(store, clock, said) as s:
        _, run = await told(s)
        answer = await s.answer()

    assert (run.status, answer[0]) == (RunStatus.COMPLETED, "Here: x")
    assert [(each["code"], each["details"]) for each in run.notices] == [
        ("file_lost", {"name": "x.csv"})
    ]


async def test_a_file_that_cannot_be_fetched_is_not_waited_for_twice(
    store: Store, clock: FakeClock
) -> None:
    tries: list[int] = []

    async def read() -> AsyncIterator[bytes]:
        tries.append(1)
        raise UpstreamError("The container has expired.")
        yield b""

    plot = ProducedFile("plot.png", read)
    said: list[Line] = [ImageMade(plot), ImageMade(plot), "There.", STOP]
    async with site(store, clock, said) as s:
        _, run = await told(s)

    assert len(tries) == 1
    assert [each["details"] for each in run.notices] == [{"name": "plot.png"}]


async def test_several_messages_and_calls_keep_their_order(store: Store, clock: FakeClock) -> None:
    said: list[Line] = [
        "Let me look.",
        *SEARCH,
        CallStart(1, "ws_def", "web_search", CallKind.HOSTED),
        CallResult(1, ["nothing"]),
        "First.",
        MessageStart(),
        "Second.",
        STOP,
    ]
    async with site(store, clock, said) as s:
        _, run = await told(s)
        done = await steps(s, run)
        newest = await store.messages.newest(s.thread_id, 9)

    assert [step.type for step in done] == [
        "message_creation",
        "tool_calls",
        "message_creation",
        "message_creation",
    ]
    calls = done[1].step_details["tool_calls"]
    assert [each["function"]["output"] for each in calls] == ["2 pages found", "nothing"]
    answers = [m.content[0]["text"]["value"] for m in newest if m.role == "assistant"]
    assert answers == ["Let me look.", "First.", "Second."]


async def test_functions_beside_hosted_tools_still_pause_the_run(
    store: Store, clock: FakeClock
) -> None:
    weather: list[Line] = [
        CallStart(1, "call_Oslo", "get_weather"),
        CallArguments(1, '{"place": "Oslo"}'),
    ]
    data = {"items": ["verbatim"]}
    first: list[Line] = [*SEARCH, *weather, Remember(data, "http://up"), CALLS]
    async with site(store, clock, first, ["Rain.", STOP]) as s:
        run = await s.ended(await s.ask("hello", tools=[WEATHER]))
        asked = (run.required_action or {})["submit_tool_outputs"]["tool_calls"]
        assert [each["id"] for each in asked] == ["call_Oslo"]
        resumed = await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        check(await s.events(run, resumed.last_event))
        again = s.provider.requests[1].messages[1:]

    assert again == [
        CallsMessage(
            [FunctionCall("call_Oslo", "get_weather", '{"place": "Oslo"}')],
            [],
            {"server": "http://up", "data": data, "covers": 0},
        ),
        OutputMessage("call_Oslo", "rain"),
    ]


async def test_what_is_told_again_stands_for_all_steps_of_its_answer(
    store: Store, clock: FakeClock
) -> None:
    first: list[Line] = [
        *SEARCH,
        "I see.",
        *call(1, "Oslo"),
        Remember({"items": []}, "http://up"),
        CALLS,
    ]
    async with site(store, clock, first, ["Rain.", STOP]) as s:
        run = await s.ended(await s.ask("hello", tools=[WEATHER]))
        await s.ended(await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")]))
        _, turn, output = s.provider.requests[1].messages

    assert isinstance(turn, CallsMessage)
    assert [each.id for each in turn.calls] == ["call_Oslo"]
    assert turn.content[0]["text"]["value"] == "I see."
    assert turn.replay == {"server": "http://up", "data": {"items": []}, "covers": 2}
    assert output == OutputMessage("call_Oslo", "rain")


async def test_a_limit_in_the_middle_of_a_hosted_call_leaves_it_cancelled(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [*CODE, Finish(FinishReason.MAX_TOKENS)]) as s:
        _, run = await told(s)
        done = await steps(s, run)

    assert run.status is RunStatus.INCOMPLETE
    assert [step.status for step in done] == [StepStatus.CANCELLED]


async def test_thoughts_are_kept_beside_the_answer(store: Store, clock: FakeClock) -> None:
    said: list[Line] = [ReasoningDelta("Hm, "), ReasoningDelta("rain."), "Rain.", STOP]
    async with site(store, clock, said) as s:
        events, _ = await told(s)
        message = (await store.messages.newest(s.thread_id, 1))[0]

    assert (message.reasoning, message.content[0]["text"]["value"]) == ("Hm, rain.", "Rain.")
    completed = next(data for _, name, data in events if name == "thread.message.completed")
    assert completed["reasoning"] == "Hm, rain."


async def test_what_is_to_be_known_of_an_answer_stands_in_its_run(
    store: Store, clock: FakeClock
) -> None:
    replaced = Noticed("fallback", "b answers in place of a.", {"asked": "a", "answered": "b"})
    waiting = Noticed("waiting", "Waiting 2 s.", {"seconds": "2"})
    async with site(store, clock, [waiting, replaced, "Hi.", STOP]) as s:
        events, run = await told(s)

    notice = {
        "code": "fallback",
        "message": "b answers in place of a.",
        "details": {"asked": "a", "answered": "b"},
    }
    assert run.notices == [notice]
    completed = next(data for _, name, data in events if name == "thread.run.completed")
    assert completed["notices"] == [notice]


async def test_hosted_tools_are_offered_where_there_are_any(store: Store, clock: FakeClock) -> None:
    options = {"hosted_tools": [{"type": "web_search"}], "fallback_models": ["b"]}
    tools = [{"type": "code_interpreter"}]
    async with site(store, clock, ["a", STOP], ["b", STOP]) as s:
        s.provider.choice = {"hosts_tools": True}
        await s.ended(await s.ask(options=options, tools=tools))
        s.provider.choice = {}
        await s.ended(await s.ask(options=options, tools=tools))
        hosted, plain = s.provider.requests
        fallbacks = s.provider.fallbacks

    assert hosted.hosted_tools == [
        {"type": "web_search"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]
    assert hosted.instructions == ""
    assert plain.hosted_tools == []
    assert "code_interpreter" in plain.instructions
    assert "web_search" in plain.instructions
    assert fallbacks == ["b"]


async def test_a_second_text_after_a_call_without_result_waits_for_the_end(
    store: Store, clock: FakeClock
) -> None:
    said: list[Line] = [*CODE, TextDelta("Done."), STOP]
    async with site(store, clock, said) as s:
        _, run = await told(s)
        done = await steps(s, run)
        answer = await s.answer()

    assert (run.status, answer[0]) == (RunStatus.COMPLETED, "Done.")
    assert [step.type for step in done] == ["tool_calls", "message_creation"]


async def test_the_next_run_is_shown_the_answer_and_not_the_tools(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [*SEARCH, "Rain.", STOP], ["ok", STOP]) as s:
        await s.ended(await s.ask())
        await s.ended(await s.ask("and now?"))
        turns = s.provider.requests[1].messages

    assert [turn.role for turn in turns if isinstance(turn, PromptMessage)] == [
        "user",
        "assistant",
        "user",
    ]


async def test_a_search_of_the_servers_beside_a_function_is_not_searched_again(
    store: Store, clock: FakeClock
) -> None:
    found = {"file_id": "file-up", "file_name": "a.pdf", "score": 0.9, "text": "Rain falls."}
    first: list[Line] = [
        CallStart(0, "fs_abc", "file_search", CallKind.FILE_SEARCH),
        CallArguments(0, '{"queries": ["rain"]}'),
        CallResult(0, [found]),
        *call(1, "Oslo"),
        CALLS,
    ]
    async with site(store, clock, first) as s:
        run = await s.ended(await s.ask("hello", tools=[WEATHER]))
        done = await steps(s, run)

    results = done[0].step_details["tool_calls"][0]["file_search"]["results"]
    assert [result["file_id"] for result in results] == ["file-up"]


async def test_what_is_said_after_calling_is_told_with_the_calls_and_only_once(
    store: Store, clock: FakeClock
) -> None:
    first: list[Line] = [
        *call(0, "Oslo"),
        "I am ",
        "looking.",
        MessageStart(),
        "Wait.",
        Remember({"items": ["verbatim"]}, "http://up"),
        CALLS,
    ]
    second: list[Line] = ["And there?", *call(0, "Bergen"), CALLS]
    async with site(store, clock, first, second, ["Rain.", STOP]) as s:
        run = await s.ended(await s.ask("hello", tools=[WEATHER]))
        run = await s.ended(await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")]))
        again = await s.executor.submit(run.thread_id, run.id, [("call_Bergen", "sun")])
        await s.ended(again)
        turns = s.provider.requests[2].messages[1:]

    calls = [turn for turn in turns if isinstance(turn, CallsMessage)]
    assert [type(turn) for turn in turns] == [CallsMessage, OutputMessage] * 2
    said = [[part["text"]["value"] for part in turn.content] for turn in calls]
    assert said == [["I am looking.", "Wait."], ["And there?"]]
    assert (calls[0].replay or {})["data"] == {"items": ["verbatim"]}


async def test_blanks_between_calls_are_no_message(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*SEARCH, "\n", MessageStart(), "Hello.", STOP]) as s:
        _, run = await told(s)
        newest = await store.messages.newest(s.thread_id, 9)

    assert run.status is RunStatus.COMPLETED
    answers = [m.content[0]["text"]["value"] for m in newest if m.role == "assistant"]
    assert answers == ["Hello."]


async def test_a_code_interpreter_that_is_not_there_cannot_be_demanded(
    store: Store, clock: FakeClock
) -> None:
    code = {"type": "code_interpreter"}
    async with site(store, clock, ["a", STOP], ["b", STOP]) as s:
        await told(s, tools=[WEATHER, code], tool_choice=code)
        s.provider.choice = {"hosts_tools": True}
        await told(s, tools=[WEATHER, code], tool_choice=code)
        choices = [request.tool_choice for request in s.provider.requests]

    assert choices == ["auto", "hosted:code_interpreter"]
