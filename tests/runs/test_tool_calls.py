"""Function tools through the loop: pause, outputs, further rounds, and everything in between."""

import asyncio
from typing import Any

import pytest

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.providers.base import (
    CallArguments,
    CallsMessage,
    CallStart,
    Finish,
    FinishReason,
    FunctionCall,
    OutputMessage,
    PromptMessage,
    Usage,
)
from streamlit_assistant.records import JSON, PageQuery, Run, RunStatus, RunStep, StepStatus
from streamlit_assistant.runs.execute_run import INTERRUPTED
from streamlit_assistant.store import Limits, Store
from tests.conftest import FakeClock
from tests.runs.test_executor import Site, site
from tests.scripted_provider import STOP, Line
from tests.spec_validator import load_spec

pytestmark = pytest.mark.both_databases

SPEC = load_spec()
CALLS = Finish(FinishReason.TOOL_CALLS)
WEATHER = {"type": "function", "function": {"name": "get_weather", "strict": False}}


def call(number: int, place: str) -> list[Line]:
    """What a model says when it asks for the weather of a place."""
    return [
        CallStart(number, f"call_{place}", "get_weather"),
        CallArguments(number, '{"place": '),
        CallArguments(number, f'"{place}"}}'),
    ]


async def asked(s: Site, **fields: Any) -> Run:
    return await s.ask("What is the weather?", **{"tools": [WEATHER], **fields})


async def paused(s: Site, **fields: Any) -> Run:
    return await s.ended(await asked(s, **fields))


async def steps(s: Site, run: Run) -> list[RunStep]:
    return list((await s.store.steps.page(run.id, PageQuery(order="asc"))).items)


def names(events: list[tuple[int, str, JSON]]) -> list[str]:
    return [name.removeprefix("thread.") for _, name, _ in events]


def check(events: list[tuple[int, str, JSON]]) -> None:
    """Hold a whole stream against the specification."""
    SPEC.check_stream([*((name, data) for _, name, data in events), ("done", "[DONE]")])


async def test_a_call_pauses_the_run_until_its_output_comes(store: Store, clock: FakeClock) -> None:
    first: list[Line] = [*call(0, "Oslo"), Usage(10, 5), CALLS]
    async with site(store, clock, first, ["Rain ", "in Oslo.", Usage(20, 3), STOP]) as s:
        before = await s.events(await asked(s))
        run = await store.runs.get(s.thread_id, before[-1][2]["id"])
        resumed = await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        after = await s.events(run, resumed.last_event)
        ended = await store.runs.get(run.thread_id, run.id)
        done = await steps(s, run)

        assert (await s.answer())[0] == "Rain in Oslo."
    check(before)
    check(after)
    assert names(before)[-6:] == [
        "run.step.created",
        "run.step.in_progress",
        "run.step.delta",
        "run.step.delta",
        "run.step.delta",
        "run.requires_action",
    ]
    assert names(after)[:5] == [
        "run.step.completed",
        "run.queued",
        "run.in_progress",
        "run.step.created",
        "run.step.in_progress",
    ]
    assert [seq for seq, _, _ in [*before, *after]] == list(range(1, len(before + after) + 1))
    assert (run.status, run.usage) == (RunStatus.REQUIRES_ACTION, None)
    function = {"name": "get_weather", "arguments": '{"place": "Oslo"}'}
    assert run.required_action == {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": "call_Oslo", "type": "function", "function": function}]
        },
    }
    assert (ended.status, ended.required_action) == (RunStatus.COMPLETED, None)
    assert (ended.started_at, ended.usage) == (
        run.started_at,
        {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38},
    )
    assert [(step.type, step.status) for step in done] == [
        ("tool_calls", StepStatus.COMPLETED),
        ("message_creation", StepStatus.COMPLETED),
    ]
    assert done[0].step_details["tool_calls"][0]["function"] == {**function, "output": "rain"}
    assert [step.usage and step.usage["total_tokens"] for step in done] == [15, 23]


async def test_the_model_is_shown_its_calls_with_their_outputs(
    store: Store, clock: FakeClock
) -> None:
    first: list[Line] = ["Let me look.", *call(0, "Oslo"), *call(1, "Rome"), CALLS]
    async with site(store, clock, first, ["Both fine.", STOP]) as s:
        run = await paused(s)
        await s.executor.submit(
            run.thread_id, run.id, [("call_Rome", "sun"), ("call_Oslo", "rain")]
        )
        await s.ended(run)
        shown = s.provider.requests[1].messages

    question, calls, *outputs = shown
    assert isinstance(question, PromptMessage)
    assert isinstance(calls, CallsMessage)
    assert calls.content[0]["text"]["value"] == "Let me look."
    assert calls.calls == [
        FunctionCall("call_Oslo", "get_weather", '{"place": "Oslo"}'),
        FunctionCall("call_Rome", "get_weather", '{"place": "Rome"}'),
    ]
    assert outputs == [OutputMessage("call_Oslo", "rain"), OutputMessage("call_Rome", "sun")]


async def test_several_rounds_of_calls_come_to_one_answer(store: Store, clock: FakeClock) -> None:
    scripts: list[list[Line]] = [[*call(0, place), CALLS] for place in ("Oslo", "Rome", "Bern")]
    async with site(store, clock, *scripts, ["Done.", STOP]) as s:
        run = await paused(s)
        for place in ("Oslo", "Rome", "Bern"):
            await s.executor.submit(run.thread_id, run.id, [(f"call_{place}", place.lower())])
            run = await s.ended(run)
        done = await steps(s, run)

        assert (await s.answer())[0] == "Done."
    assert run.status is RunStatus.COMPLETED
    outputs = [step.step_details["tool_calls"][0]["function"]["output"] for step in done[:-1]]
    assert outputs == ["oslo", "rome", "bern"]
    roles = [type(turn).__name__ for turn in s.provider.requests[3].messages]
    assert roles == ["PromptMessage", *["CallsMessage", "OutputMessage"] * 3]


async def test_outputs_come_all_at_once_or_not_at_all(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), *call(1, "Rome"), CALLS]) as s:
        run = await paused(s)
        for outputs, got in (
            ([("call_Oslo", "rain")], "['call_Oslo']"),
            ([], "[]"),
            ([("call_Oslo", "a"), ("call_Oslo", "b")], "['call_Oslo', 'call_Oslo']"),
            ([("call_Oslo", "a"), ("call_x", "b")], "['call_Oslo', 'call_x']"),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await s.executor.submit(run.thread_id, run.id, outputs)
            assert refused.value.message == (
                f"Expected tool outputs for call_ids ['call_Oslo', 'call_Rome'], got {got}"
            )
        assert (await store.runs.get(run.thread_id, run.id)).status is RunStatus.REQUIRES_ACTION


async def test_a_run_that_does_not_wait_takes_no_outputs(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), CALLS], ["Rain.", STOP]) as s:
        run = await paused(s)
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        await s.ended(run)

        with pytest.raises(InvalidRequest, match=r'^Runs in status "completed" do not accept'):
            await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])


async def test_of_two_submissions_at_once_one_counts(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), CALLS], ["Rain.", STOP]) as s:
        run = await paused(s)
        both = [s.executor.submit(run.thread_id, run.id, [("call_Oslo", str(n))]) for n in (1, 2)]
        results = await asyncio.gather(*both, return_exceptions=True)
        ended = await s.ended(run)

    assert sorted(type(result).__name__ for result in results) == ["InvalidRequest", "Run"]
    assert ended.status is RunStatus.COMPLETED
    assert len(s.provider.requests) == 2


async def test_a_waiting_run_can_be_cancelled(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), Usage(9, 4), CALLS], ["again", STOP]) as s:
        run = await paused(s)
        cancelling = await s.executor.cancel(run.thread_id, run.id)
        after = await s.events(run, run.last_event)
        ended = await store.runs.get(run.thread_id, run.id)
        (step,) = await steps(s, run)

        assert cancelling.status is RunStatus.CANCELLING
        assert names(after) == ["run.cancelling", "run.step.cancelled", "run.cancelled"]
        assert (ended.status, ended.required_action) == (RunStatus.CANCELLED, None)
        assert ended.usage is not None
        assert (ended.usage["total_tokens"], step.usage) == (13, ended.usage)
        assert step.status is StepStatus.CANCELLED
        assert step.step_details["tool_calls"][0]["function"]["output"] is None
        with pytest.raises(InvalidRequest, match="Cannot cancel run with status 'cancelled'"):
            await s.executor.cancel(run.thread_id, run.id)
        assert (await s.ended(await s.ask("more"))).status is RunStatus.COMPLETED


async def test_a_run_nobody_answers_expires(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), CALLS], ["again", STOP]) as s:
        run = await paused(s)
        clock.now += 601
        with pytest.raises(InvalidRequest, match=r'^Runs in status "expired" do not accept'):
            await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        await until(s, run, RunStatus.EXPIRED)
        after = await s.events(run, run.last_event)
        (step,) = await steps(s, run)

        assert names(after) == ["run.step.expired", "run.expired"]
        assert (step.status, step.expired_at) == (StepStatus.EXPIRED, int(clock.now))
        assert (await s.ended(await s.ask("more"))).status is RunStatus.COMPLETED


async def until(s: Site, run: Run, status: RunStatus) -> None:
    async with asyncio.timeout(20):
        while (await s.store.runs.get(run.thread_id, run.id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_waiting_run_goes_on_in_the_next_process(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), CALLS], ["Rain.", STOP]) as s:
        run = await paused(s)
        await s.next_process()
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])

        assert (await s.ended(run)).status is RunStatus.COMPLETED


async def test_whoever_took_a_waiting_run_and_was_killed_does_not_keep_it(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [*call(0, "Oslo"), CALLS], ["Rain.", STOP]) as s:
        run = await paused(s)
        assert await store.queue.claim_idle("executor_killed", run.id) is not None
        await s.next_process()
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])

        assert (await s.ended(run)).status is RunStatus.COMPLETED


async def test_a_process_that_ends_while_the_model_calls_keeps_what_was_shown(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [*call(0, "Oslo")[:2], asyncio.Event()]) as s:
        run = await asked(s)
        await s.until_seen(run, "thread.run.step.delta")
        await s.executor.stop()
        events = await s.events(run)
        (step,) = await steps(s, run)

    check(events)
    assert names(events)[-2:] == ["run.step.failed", "run.failed"]
    assert events[-1][2]["last_error"]["message"] == INTERRUPTED
    assert step.step_details["tool_calls"][0]["function"]["arguments"] == '{"place": '


async def test_outputs_submitted_while_all_places_are_taken_wait_for_one(
    store: Store, clock: FakeClock
) -> None:
    gate = asyncio.Event()
    first: list[Line] = [*call(0, "Oslo"), CALLS]
    async with site(store, clock, first, [gate, "Long.", STOP], ["Rain.", STOP]) as s:
        run = await paused(s)
        await s.next_process(limits=Limits(at_work=1))
        mine, s.thread_id = s.thread_id, ""
        other = await s.ask("something long")
        s.thread_id = mine
        resumed = await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        queued = await store.runs.get(run.thread_id, run.id)
        gate.set()
        after = await s.events(run, resumed.last_event)

        assert queued.status is RunStatus.QUEUED
        assert names(after)[:3] == ["run.step.completed", "run.queued", "run.in_progress"]
        assert names(after)[-1] == "run.completed"
        assert (await s.ended(other)).status is RunStatus.COMPLETED


async def test_blanks_before_a_call_are_no_message(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["\n", "\n", *call(0, "Oslo"), CALLS]) as s:
        run = await paused(s)

        assert [step.type for step in await steps(s, run)] == ["tool_calls"]


async def test_what_is_said_after_a_call_is_kept(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [*call(0, "Oslo"), "I am ", "looking.", CALLS]) as s:
        events = await s.events(await asked(s))

        assert (await s.answer())[0] == "I am looking."
    check(events)
    assert names(events)[-1] == "run.requires_action"


async def test_a_call_cut_off_by_the_token_limit_is_not_waited_for(
    store: Store, clock: FakeClock
) -> None:
    script: list[Line] = [*call(0, "Oslo")[:2], Finish(FinishReason.MAX_TOKENS)]
    async with site(store, clock, script) as s:
        run = await paused(s)
        (step,) = await steps(s, run)

    assert (run.status, run.incomplete_details) == (
        RunStatus.INCOMPLETE,
        {"reason": "max_completion_tokens"},
    )
    assert step.status is StepStatus.CANCELLED


async def test_the_run_says_which_functions_the_model_is_offered(
    store: Store, clock: FakeClock
) -> None:
    scripts: list[list[Line]] = [[*call(0, "Oslo"), CALLS], ["Rain.", STOP], ["None.", STOP]]
    named = {"type": "function", "function": {"name": "get_weather"}}
    async with site(store, clock, *scripts) as s:
        run = await paused(s, tool_choice=named, parallel_tool_calls=False)
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        await s.ended(run)
        await s.ended(await s.ask("again", tools=[WEATHER], tool_choice="none"))
        first, second, third = s.provider.requests

    assert list(first.functions) == [WEATHER["function"]]
    assert (first.tool_choice, first.parallel_tool_calls) == ("function:get_weather", False)
    # Who must call again after each output would never come to an answer.
    assert second.tool_choice == "auto"
    assert list(third.functions) == []


async def test_a_model_that_cannot_run_code_is_told_so(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["I cannot.", STOP]) as s:
        tools = [{"type": "code_interpreter"}]
        await s.ended(await s.ask("Run it", tools=tools, instructions="Be kind."))
        (request,) = s.provider.requests

    assert request.instructions.startswith("Be kind.\n\n")
    assert "code_interpreter" in request.instructions


async def test_the_budget_of_answers_counts_every_round(store: Store, clock: FakeClock) -> None:
    first: list[Line] = [*call(0, "Oslo"), Usage(10, 200), CALLS]
    second: list[Line] = [*call(0, "Rome"), Usage(10, 290), CALLS]
    async with site(store, clock, first, second) as s:
        run = await paused(s, max_completion_tokens=500)
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "x")])
        run = await s.ended(run)
        limits = [request.max_completion_tokens for request in s.provider.requests]

    # The second round left ten: too few for an answer to what it asks for.
    assert limits == [500, 300]
    assert (run.status, run.incomplete_details) == (
        RunStatus.INCOMPLETE,
        {"reason": "max_completion_tokens"},
    )


async def test_a_run_with_a_budget_counts_where_the_server_does_not(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, ["four" * 100, STOP]) as s:
        run = await s.ended(await s.ask("hello", max_completion_tokens=500))

    assert run.usage is not None
    assert run.usage["completion_tokens"] == 100
    assert run.usage["prompt_tokens"] > 0


async def test_a_question_beyond_the_budget_of_prompts_ends_incomplete(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock) as s:
        run = await s.ended(await s.ask("long " * 1000, max_prompt_tokens=256))

    assert (run.status, run.incomplete_details) == (
        RunStatus.INCOMPLETE,
        {"reason": "max_prompt_tokens"},
    )
    assert s.provider.requests == []


async def test_a_second_cancel_before_the_first_is_done_changes_nothing(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, ["Hel", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        both = await asyncio.gather(
            *(s.executor.cancel(run.thread_id, run.id) for _ in range(2)), return_exceptions=True
        )
        ended = await s.ended(run)

    # Whichever comes second finds the run cancelling, or cancelled already.
    assert {type(result) for result in both} <= {Run, InvalidRequest}
    assert ended.status is RunStatus.CANCELLED
