"""File search through the loop: what the model is told, what the step shows, what is cited."""

from typing import Any

from streamlit_assistant.file_records import SearchResult
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Finish,
    FinishReason,
    OutputMessage,
)
from streamlit_assistant.records import JSON, Run, RunStatus
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.runs.test_executor import Site, said, site
from tests.runs.test_tool_calls import CALLS, WEATHER, call, check, names, steps
from tests.scripted_provider import STOP, Line

SEARCH = {"type": "file_search"}
STORES = {"file_search": {"vector_store_ids": ["vs_assistant"]}}
REPORT = SearchResult("file-1", "report.pdf", 0.9, "Sales rose by a third.", {})
NOTES = SearchResult("file-2", "会议记录.docx", 0.5, "销售额增长了三分之一。", {})


def search(query: str, name: str = "file_search") -> list[Line]:
    return [
        CallStart(0, "call_s", name),
        CallArguments(0, '{"queries": ['),
        CallArguments(0, f'"{query}"]}}'),
        CALLS,
    ]


async def ask(s: Site, **fields: Any) -> Run:
    s.files.found = [REPORT, NOTES]
    return await s.ask("How were sales?", **{"tools": [SEARCH], "tool_resources": STORES, **fields})


async def test_what_is_found_is_told_to_the_model_under_markers(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, search("sales"), ["Well.", STOP]) as s:
        await s.ended(await ask(s))
        offered, told = s.provider.requests

    assert [function["name"] for function in offered.functions] == ["file_search"]
    ((stores, query),) = s.files.searched
    assert (stores, query.queries, query.max_num_results) == (["vs_assistant"], ["sales"], 20)
    output = told.messages[-1]
    assert output == OutputMessage(
        "call_s",
        "【0:0†report.pdf】\nSales rose by a third.\n\n"
        "【0:1†会议记录.docx】\n销售额增长了三分之一。",
    )


async def test_a_marker_in_the_answer_becomes_an_annotation_of_exactly_its_text(
    store: Store, clock: FakeClock
) -> None:
    words: list[Line] = [
        "好 🙂 Sales rose ",
        "【0:",
        "1†会议",
        "记录.docx",
        "】 and 【0:0†x】【7:7†no】.",
    ]
    async with site(store, clock, search("sales"), [*words, STOP]) as s:
        events = await s.events(await ask(s))
        message = (await store.messages.newest(s.thread_id, 1))[0]

    check(events)
    (part,) = message.content
    value, annotations = part["text"]["value"], part["text"]["annotations"]
    assert value == "".join(str(word) for word in words)
    assert [a["file_citation"]["file_id"] for a in annotations] == ["file-2", "file-1"]
    assert [a["text"] for a in annotations] == ["【0:1†会议记录.docx】", "【0:0†x】"]
    for annotation in annotations:
        assert value[annotation["start_index"] : annotation["end_index"]] == annotation["text"]


async def test_a_search_is_a_step_of_its_own_that_shows_no_arguments(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, search("sales"), ["Well.", STOP]) as s:
        events = await s.events(await ask(s))

    assert names(events)[3:7] == [
        "run.step.created",
        "run.step.in_progress",
        "run.step.delta",
        "run.step.completed",
    ]
    delta, completed = events[5][2], events[6][2]
    assert delta["delta"]["step_details"]["tool_calls"] == [
        {"index": 0, "id": "call_s", "type": "file_search", "file_search": {}}
    ]
    (shown,) = completed["step_details"]["tool_calls"]
    assert shown == {
        "id": "call_s",
        "type": "file_search",
        "file_search": {
            "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
            "results": [
                {"file_id": "file-1", "file_name": "report.pdf", "score": 0.9},
                {"file_id": "file-2", "file_name": "会议记录.docx", "score": 0.5},
            ],
        },
    }


async def test_a_run_that_asks_for_results_has_them_in_its_events(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, search("sales"), ["Well.", STOP]) as s:
        events = await s.events(await ask(s, includes_results=True))

    found: JSON = events[6][2]["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    assert found["content"] == [{"type": "text", "text": "Sales rose by a third."}]


async def test_the_options_of_the_tool_bound_the_search(store: Store, clock: FakeClock) -> None:
    options = {"max_num_results": 1, "ranking_options": {"score_threshold": 0.4}}
    tool = {"type": "file_search", "file_search": options}
    async with site(store, clock, search("sales"), ["Well.", STOP]) as s:
        run = await s.ended(await ask(s, tools=[tool]))
        (step, _) = await steps(s, run)

    ((_, query),) = s.files.searched
    assert (query.max_num_results, query.score_threshold) == (1, 0.4)
    searched = step.step_details["tool_calls"][0]["file_search"]
    assert [result["file_id"] for result in searched["results"]] == ["file-1"]
    assert searched["ranking_options"]["score_threshold"] == 0.4


async def test_searches_number_their_passages_on(store: Store, clock: FakeClock) -> None:
    scripts: list[list[Line]] = [
        search("sales"),
        search("profits"),
        ["Up 【1:0†report.pdf】.", STOP],
    ]
    async with site(store, clock, *scripts) as s:
        await s.ended(await ask(s))
        message = (await store.messages.newest(s.thread_id, 1))[0]
        outputs = [
            t.output for t in s.provider.requests[2].messages if isinstance(t, OutputMessage)
        ]

    assert [output[:9] for output in outputs] == ["【0:0†repo", "【1:0†repo"]
    assert [a["text"] for a in message.content[0]["text"]["annotations"]] == ["【1:0†report.pdf】"]


async def test_citations_are_not_shown_to_the_model_again(store: Store, clock: FakeClock) -> None:
    scripts: list[list[Line]] = [search("sales"), ["Up 【0:0†report.pdf】.", STOP], ["Yes.", STOP]]
    async with site(store, clock, *scripts) as s:
        await s.ended(await ask(s))
        await s.ended(await s.ask("Sure?"))
        shown = said(s.provider.requests[2].messages[1])

    assert shown == ("assistant", "Up .")


async def test_a_function_and_a_search_in_one_round_are_one_step(
    store: Store, clock: FakeClock
) -> None:
    first: list[Line] = [*search("sales")[:-1], *call(1, "Oslo"), CALLS]
    async with site(store, clock, first, ["Up 【0:0†report.pdf】.", STOP]) as s:
        run = await s.ended(await ask(s, tools=[SEARCH, WEATHER]))
        assert run.required_action is not None
        waiting = run.required_action["submit_tool_outputs"]["tool_calls"]
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        ended = await s.ended(run)
        message = (await store.messages.newest(s.thread_id, 1))[0]
        (step, _) = await steps(s, run)

    assert [called["id"] for called in waiting] == ["call_Oslo"]
    assert ended.status is RunStatus.COMPLETED
    assert [called["type"] for called in step.step_details["tool_calls"]] == [
        "file_search",
        "function",
    ]
    assert len(message.content[0]["text"]["annotations"]) == 1


async def test_a_function_of_the_same_name_is_left_alone(store: Store, clock: FakeClock) -> None:
    own = {"type": "function", "function": {"name": "file_search"}}
    mine: list[Line] = [CallStart(0, "call_own", "file_search"), Finish(FinishReason.TOOL_CALLS)]
    async with site(store, clock, search("sales", "search_in_files"), mine) as s:
        run = await s.ended(await ask(s, tools=[own, SEARCH]))
        offered = [function["name"] for function in s.provider.requests[0].functions]

    assert offered == ["file_search", "search_in_files"]
    assert run.status is RunStatus.REQUIRES_ACTION


async def test_a_model_that_goes_on_searching_is_made_to_answer(
    store: Store, clock: FakeClock
) -> None:
    # Told that it cannot search any more, it tries once again.
    async with site(store, clock, *[search("sales")] * 9, ["At last.", STOP]) as s:
        run = await s.ended(await ask(s))
        choices = [request.tool_choice for request in s.provider.requests]

    assert run.status is RunStatus.COMPLETED
    assert choices == [*["auto"] * 8, "none", "none"]
    assert len(s.files.searched) == 8


async def test_without_files_no_search_is_offered_unless_it_is_demanded(
    store: Store, clock: FakeClock
) -> None:
    demanded: list[list[Line]] = [search("x"), ["Nothing there.", STOP]]
    async with site(store, clock, ["No files.", STOP], *demanded) as s:
        await s.ended(await ask(s, tool_resources={}))
        await s.ended(await ask(s, tool_resources={}, tool_choice={"type": "file_search"}))
        none, forced, last = s.provider.requests

    assert list(none.functions) == []
    assert forced.tool_choice == "function:file_search"
    output = last.messages[-1]
    assert isinstance(output, OutputMessage)
    assert output.output.startswith("Nothing was found.")


async def test_passages_leave_room_for_the_answer(store: Store, clock: FakeClock) -> None:
    long = [SearchResult(f"file-{n}", "a.txt", 0.5, "x" * 4_000, {}) for n in range(20)]
    async with site(store, clock, search("sales"), ["Well.", STOP]) as s:
        run = await ask(s)
        s.files.found = long
        (step, _) = await steps(s, await s.ended(run))

    # Nobody knows this model's context: four thousand tokens of four letters each.
    assert len(step.step_details["tool_calls"][0]["file_search"]["results"]) == 4
