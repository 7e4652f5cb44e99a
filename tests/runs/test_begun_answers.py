"""Answers with which the model server goes on by itself are not lost, whatever happens to us."""

import asyncio
from typing import Any

import pytest

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.base import (
    Answering,
    Begun,
    CallArguments,
    CallKind,
    CallResult,
    CallStart,
    Finish,
    FinishReason,
    OutputMessage,
    Usage,
)
from streamlit_assistant.records import MessageStatus, RunStatus, StepStatus
from streamlit_assistant.runs import Pace
from streamlit_assistant.runs.execute_run import INTERRUPTED
from streamlit_assistant.store import Store
from tests.conftest import FakeClock
from tests.runs.processes import Start, until
from tests.runs.test_executor import QUICK, site
from tests.runs.test_tool_calls import CALLS, WEATHER, call, check, names, steps
from tests.scripted_provider import STOP, Line

pytestmark = pytest.mark.both_databases

WHOLE: list[Line] = ["Once ", "upon ", "a time.", Usage(3, 4), STOP]
SEARCH: list[Line] = [
    CallStart(0, "ws_abc", "web_search", CallKind.HOSTED),
    CallArguments(0, '{"query": '),
    CallArguments(0, '"rain"}'),
    CallResult(0, ["2 pages"]),
]


def gone() -> UpstreamError:
    return UpstreamError("No such response.", trouble=Trouble.ELSEWHERE)


@pytest.mark.parametrize("shown", [0, 1, 2, 3])
async def test_a_killed_process_loses_no_word(start: Start, shown: int) -> None:
    first: list[Line] = [Begun("resp_1"), *WHOLE[:shown], asyncio.Event()]
    one = await start(first)
    run = await one.ask()
    await until(lambda: _has_begun(one.store, run))
    await asyncio.sleep(0.1)  # what was shown is stored
    one.kill()
    await one.vanish()
    other = await start([Begun("resp_1"), *WHOLE])
    events = await other.events(run)
    ended = await other.store.runs.get(run.thread_id, run.id)
    other.thread_id = one.thread_id

    assert [request.resume for request in other.provider.requests] == ["resp_1"]
    assert (ended.status, ended.begun) == (RunStatus.COMPLETED, None)
    assert await other.answer() == ("Once upon a time.", MessageStatus.COMPLETED, None)
    assert ended.usage == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    check(events)
    assert names(events).count("message.delta") == 3
    assert other.provider.cancelled == []


async def _has_begun(store: Store, run: Any) -> bool:
    return (await store.runs.get(run.thread_id, run.id)).begun is not None


async def test_a_process_that_ends_hands_the_answer_on(store: Store, clock: FakeClock) -> None:
    half: list[Line] = [Begun("resp_1"), "Once ", asyncio.Event()]
    async with site(store, clock, half, [Begun("resp_1"), *WHOLE]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)

        assert ended.status is RunStatus.COMPLETED
        assert (await s.answer())[0] == "Once upon a time."
        assert s.provider.cancelled == []


async def test_all_that_was_shown_of_an_answer_comes_only_once(
    store: Store, clock: FakeClock
) -> None:
    whole: list[Line] = [
        Begun("resp_1"),
        "Let me see.",
        *SEARCH,
        "It ",
        "rains.",
        *call(1, "Oslo"),
        Usage(9, 9),
        CALLS,
    ]
    for cut in range(2, len(whole)):
        async with site(store, clock, [*whole[:cut], asyncio.Event()], whole) as s:
            run = await s.ask(tools=[WEATHER])
            await until(lambda run=run: _has_begun(store, run))  # type: ignore[misc]
            await asyncio.sleep(0.02)
            await s.next_process(pace=Pace(drain=0.01))
            paused = await s.ended(run)
            events = await s.events(run)
            done = await steps(s, run)
        check(events)

        assert paused.status is RunStatus.REQUIRES_ACTION, cut
        assert [step.type for step in done] == [
            "message_creation",
            "tool_calls",
            "message_creation",
            "tool_calls",
        ]
        search, weather = done[1].step_details["tool_calls"], done[3].step_details["tool_calls"]
        assert search[0]["function"] == {
            "name": "web_search",
            "arguments": '{"query": "rain"}',
            "output": "2 pages",
        }
        assert weather[0]["function"]["arguments"] == '{"place": "Oslo"}'
        newest = await store.messages.newest(paused.thread_id, 5)
        texts = [m.content[0]["text"]["value"] for m in newest if m.role == "assistant"]
        assert texts == ["Let me see.", "It rains."]


async def test_the_round_after_a_resumed_one_knows_what_that_has_called(
    store: Store, clock: FakeClock
) -> None:
    whole: list[Line] = [
        Begun("resp_1"),
        CallStart(0, "call_odd", "not_offered"),
        CallArguments(0, "{}"),
        Usage(3, 4),
        CALLS,
    ]
    async with site(store, clock, [*whole[:2], asyncio.Event()], whole, WHOLE) as s:
        run = await s.ask(tools=[WEATHER])
        await s.until_seen(run, "thread.run.step.delta")
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)
        turns = s.provider.requests[2].messages

    assert ended.status is RunStatus.COMPLETED
    assert ended.usage == {"prompt_tokens": 6, "completion_tokens": 8, "total_tokens": 14}
    assert [turn.call_id for turn in turns if isinstance(turn, OutputMessage)] == ["call_odd"]


async def test_an_answer_that_is_gone_is_asked_for_anew_if_nobody_saw_any_of_it(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [Begun("resp_1"), asyncio.Event()], [gone()], WHOLE) as s:
        run = await s.ask()
        await until(lambda: _has_begun(store, run))
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)

        assert ended.status is RunStatus.COMPLETED
        assert [request.resume for request in s.provider.requests] == [None, "resp_1", None]


async def test_an_answer_that_is_gone_keeps_what_was_seen(store: Store, clock: FakeClock) -> None:
    half: list[Line] = [Begun("resp_1"), "Once ", asyncio.Event()]
    async with site(store, clock, half, [gone()], WHOLE) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)
        answer = await s.answer()
        done = await steps(s, run)
        again = await s.ended(await s.ask("and now?"))

    assert ended.status is RunStatus.FAILED
    assert ended.last_error == {"code": "server_error", "message": "No such response."}
    assert answer == ("Once ", MessageStatus.INCOMPLETE, "run_failed")
    assert [step.status for step in done] == [StepStatus.FAILED]
    assert again.status is RunStatus.COMPLETED


async def test_a_cancelled_answer_is_ended_at_its_server_too(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [Begun("resp_1"), "Once ", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await s.executor.cancel(run.thread_id, run.id)
        ended = await s.ended(run)
        async with asyncio.timeout(5):
            while not s.provider.cancelled:  # noqa: ASYNC110 - told after the run has ended
                await asyncio.sleep(0.01)

    assert (ended.status, ended.begun) == (RunStatus.CANCELLED, None)
    assert s.provider.cancelled == ["resp_1"]


async def test_what_nobody_goes_on_with_is_cut_as_ever(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["Once ", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)

    assert (ended.status, (ended.last_error or {})["message"]) == (RunStatus.FAILED, INTERRUPTED)


async def test_another_answer_than_the_one_that_was_shown_ends_the_run(
    store: Store, clock: FakeClock
) -> None:
    half: list[Line] = [Begun("resp_1"), "Once ", asyncio.Event()]
    async with site(store, clock, half, [Begun("resp_1"), *call(0, "Oslo"), CALLS]) as s:
        run = await s.ask(tools=[WEATHER])
        await s.until_seen(run, "thread.message.delta")
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)
        answer = await s.answer()

    assert ended.status is RunStatus.FAILED
    assert answer == ("Once ", MessageStatus.INCOMPLETE, "run_failed")


async def test_an_answer_that_ended_meanwhile_is_taken_up_whole(start: Start) -> None:
    one = await start([Begun("resp_1"), "Once ", asyncio.Event()])
    run = await one.ask()
    await until(lambda: _has_begun(one.store, run))
    one.kill()
    await one.vanish()
    limited: list[Line] = ["Once ", "upon", Usage(1, 2), Finish(FinishReason.MAX_TOKENS)]
    other = await start(limited)
    ended = await other.ended(run)

    assert ended.status is RunStatus.INCOMPLETE
    assert ended.incomplete_details == {"reason": "max_completion_tokens"}


async def test_an_answer_whose_thread_is_deleted_is_ended_at_its_server(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [Begun("resp_1"), "Once ", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await store.threads.delete("owner", run.thread_id)
        s.executor.abandon(run.id)
        async with asyncio.timeout(5):
            while not s.provider.cancelled:  # noqa: ASYNC110 - told after the run was let go
                await asyncio.sleep(0.01)

    assert s.provider.cancelled == ["resp_1"]


async def test_what_another_process_goes_on_with_is_not_ended(start: Start) -> None:
    one = await start([Begun("resp_1"), "Once ", asyncio.Event()])
    run = await one.ask()
    await one.until_seen(run, "thread.message.delta")
    one.executor.abandon(run.id)
    await asyncio.sleep(0.3)

    assert one.provider.cancelled == []


async def test_what_one_model_has_begun_is_not_taken_for_the_answer_of_another(
    store: Store, clock: FakeClock
) -> None:
    said: list[Line] = [Begun("resp_1"), Answering("other"), "Once ", asyncio.Event()]
    async with site(store, clock, said) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        begun = (await store.runs.get(run.thread_id, run.id)).begun
        await s.next_process(pace=QUICK)
        ended = await s.ended(run)

    assert begun is None
    assert (ended.status, (ended.last_error or {})["message"]) == (RunStatus.FAILED, INTERRUPTED)


@pytest.mark.parametrize("shown", [2, 3, 4, 5])
async def test_what_a_model_writes_like_a_citation_is_text_as_any_other(
    store: Store, clock: FakeClock, shown: int
) -> None:
    whole: list[Line] = [Begun("resp_1"), "See 【4†", "source】", ", he ", "said.", STOP]
    async with site(store, clock, [*whole[:shown], asyncio.Event()], whole) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await s.next_process(pace=QUICK)
        await s.ended(run)
        answer = await s.answer()

    assert answer[0] == "See 【4†source】, he said."
