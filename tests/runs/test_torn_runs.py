"""Runs that are cancelled, stopped or killed at the worst moment: none stays locked."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.providers.base import CallArguments, CallStart, Delta, ModelRequest
from streamlit_assistant.records import Run, RunStatus, StepStatus
from streamlit_assistant.store import Limits, Store
from streamlit_assistant.store.runs import Added, Runs
from tests.conftest import FakeClock
from tests.runs.test_executor import Site, site
from tests.runs.test_file_search_runs import SEARCH, STORES, search
from tests.runs.test_tool_calls import CALLS, WEATHER, call, names, paused, steps, until
from tests.scripted_provider import STOP, Line, ScriptedProvider


@pytest.mark.parametrize("moment", range(0, 60, 3))
async def test_a_cancel_at_any_moment_of_a_search_ends_the_run(
    store: Store, clock: FakeClock, moment: int
) -> None:
    async with site(store, clock, search("x"), ["half", asyncio.Event()]) as s:
        run = await s.ask(tools=[SEARCH], tool_resources=STORES)
        for _ in range(moment):
            await asyncio.sleep(0)
        await s.executor.cancel(run.thread_id, run.id)
        events = await s.events(run)
        ended = await store.runs.get(run.thread_id, run.id)
        done = await steps(s, run)

        assert ended.status is RunStatus.CANCELLED
        assert {step.status for step in done} <= {StepStatus.COMPLETED, StepStatus.CANCELLED}
        assert [seq for seq, _, _ in events] == list(range(1, len(events) + 1))
        assert (await store.events.after(run.id, 0))[-1].name == "thread.run.cancelled"


class SlowToClose(ScriptedProvider):
    """A model whose connection takes a moment to close."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        try:
            async for delta in super().stream(request):
                yield delta
        finally:
            closing = asyncio.ensure_future(asyncio.sleep(0.2))
            while not closing.done():
                await asyncio.wait([closing])


async def test_a_cancel_while_the_process_ends_counts(store: Store, clock: FakeClock) -> None:
    s = Site(store, clock, SlowToClose([asyncio.Event()], ["again", STOP]))
    await s.executor.start()
    run = await s.ask()
    await s.until_seen(run, "thread.run.in_progress")
    stopping = asyncio.create_task(s.executor.stop())
    await asyncio.sleep(0.12)
    cancelling = await s.executor.cancel(run.thread_id, run.id)
    await stopping
    await s.next_process()
    await until(s, run, RunStatus.CANCELLED)

    assert cancelling.status is RunStatus.CANCELLING
    assert (await s.ended(await s.ask("more"))).status is RunStatus.COMPLETED
    await s.executor.stop()


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
@pytest.mark.parametrize("lease", [None, "executor_dead"])
async def test_no_run_of_a_killed_process_stays_locked(
    store: Store, clock: FakeClock, status: str, lease: str | None
) -> None:
    answers: list[list[Line]] = [["Rain.", STOP]] * 3
    async with site(store, clock, [*call(0, "Oslo"), CALLS], *answers) as s:
        run = await paused(s, tools=[WEATHER])
        await s.executor.stop()
        await store.runs.modify(run.thread_id, run.id, {"status": status, "lease_owner": lease})
        await s.next_process()
        if status == "requires_action":
            await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
        ended = await s.ended(run)

        assert ended.status not in ("queued", "in_progress", "requires_action", "cancelling")
        assert (await s.ended(await s.ask("more"))).status is RunStatus.COMPLETED


async def test_a_run_handed_back_can_be_cancelled_where_no_place_is_free(
    store: Store, clock: FakeClock
) -> None:
    s = Site(store, clock, ScriptedProvider([asyncio.Event()], [asyncio.Event()]))
    await s.executor.start()
    run = await s.ask()
    await s.until_seen(run, "thread.run.in_progress")
    await s.next_process(limits=Limits(at_work=0))
    await s.executor.cancel(run.thread_id, run.id)

    await until(s, run, RunStatus.CANCELLED)
    await s.executor.stop()


class LateResume(Runs):
    """Lets one resumption wait until another has gone through."""

    def __init__(self, whole: Runs) -> None:
        self.__dict__ = whole.__dict__
        self.gate = asyncio.Event()
        self.held = asyncio.Event()

    async def resume(self, *args: Any, **kwargs: Any) -> Added | None:
        if not self.held.is_set():
            self.held.set()
            await self.gate.wait()
        return await super().resume(*args, **kwargs)


async def test_outputs_for_one_round_are_not_taken_for_the_next(
    store: Store, clock: FakeClock
) -> None:
    rounds: list[list[Line]] = [[*call(0, "Oslo"), CALLS], [*call(0, "Oslo"), CALLS]]
    async with site(store, clock, *rounds) as s:
        store.runs = late = LateResume(store.runs)
        run = await paused(s)
        first = asyncio.create_task(
            s.executor.submit(run.thread_id, run.id, [("call_Oslo", "late")])
        )
        await late.held.wait()
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "in time")])
        again = await s.ended(run)
        late.gate.set()
        with pytest.raises(InvalidRequest, match="Expected tool outputs for call_ids"):
            await first
        done, waiting = await steps(s, run)

    assert again.status is RunStatus.REQUIRES_ACTION
    assert done.step_details["tool_calls"][0]["function"]["output"] == "in time"
    # The server gave the same id again; the run did not.
    assert waiting.step_details["tool_calls"][0]["id"] != "call_Oslo"


async def test_a_function_nobody_offered_is_answered_by_the_server(
    store: Store, clock: FakeClock
) -> None:
    made_up: list[Line] = [CallStart(0, "c", "nonsense"), CallArguments(0, "{}"), CALLS]
    async with site(store, clock, made_up, ["Sorry.", STOP]) as s:
        run = await s.ended(await s.ask("?"))
        done = await steps(s, run)

    assert run.status is RunStatus.COMPLETED
    assert "no function `nonsense`" in done[0].step_details["tool_calls"][0]["function"]["output"]


async def test_a_model_that_goes_on_making_up_functions_fails_in_plain_words(
    store: Store, clock: FakeClock
) -> None:
    made_up: list[Line] = [CallStart(0, "c", "nonsense"), CallArguments(0, "{}"), CALLS]
    async with site(store, clock, *[made_up] * 4) as s:
        run = await s.ended(await s.ask("?", tools=[WEATHER], tool_choice="none"))

    assert run.status is RunStatus.FAILED
    assert run.last_error is not None
    assert "not offered" in run.last_error["message"]


async def test_only_the_calls_that_wait_are_asked_for(store: Store, clock: FakeClock) -> None:
    made_up: list[Line] = [CallStart(1, "c", "nonsense"), CallArguments(1, "{}")]
    async with site(store, clock, [*call(0, "Oslo"), *made_up, CALLS], ["Rain.", STOP]) as s:
        run = await paused(s)
        await s.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])

        assert (await s.ended(run)).status is RunStatus.COMPLETED


async def test_the_follower_of_a_waiting_run_is_let_go_with_its_thread(
    store: Store, clock: FakeClock
) -> None:
    s = Site(store, clock, ScriptedProvider())
    await s.next_process(limits=Limits(at_work=0))
    run = await s.ask()
    following = asyncio.create_task(s.events(run))
    await asyncio.sleep(0.05)
    run_id = await store.threads.delete("owner", run.thread_id)
    assert run_id == run.id
    s.executor.abandon(run.id)

    assert names(await following) == ["run.created", "run.queued"]
    await s.executor.stop()


async def test_the_last_events_show_the_metadata_a_client_has_changed(
    store: Store, clock: FakeClock
) -> None:
    gate = asyncio.Event()
    async with site(store, clock, ["Hel", gate, "lo", STOP]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        (message,) = await store.messages.of_run(run.id)
        await store.runs.modify(run.thread_id, run.id, {"metadata": {"a": "1"}})
        s.executor.note_metadata(run.id, {"a": "1"})
        await store.messages.modify(run.thread_id, message.id, {"metadata": {"b": "2"}})
        s.executor.note_metadata(run.id, {"b": "2"}, message.id)
        gate.set()
        shown = {
            name: data["metadata"] for _, name, data in await s.events(run) if "metadata" in data
        }

    assert shown["thread.run.completed"] == {"a": "1"}
    assert shown["thread.message.completed"] == {"b": "2"}


async def test_what_cannot_be_stored_harms_no_other_run(store: Store, clock: FakeClock) -> None:
    gate = asyncio.Event()
    async with site(store, clock, ["bad \ud800", gate, STOP], ["good", gate, STOP]) as s:
        bad = await s.ask()
        mine, s.thread_id = s.thread_id, ""
        good = await s.ask()
        await s.until_seen(good, "thread.message.delta")
        await until_stored(store, good)
        gate.set()
        s.thread_id = mine

        assert (await s.ended(good)).status is RunStatus.COMPLETED
        assert (await s.ended(bad)).status is RunStatus.FAILED
        assert (await store.events.after(bad.id, 0))[-1].name == "thread.run.failed"


async def until_stored(store: Store, run: Run) -> None:
    async with asyncio.timeout(10):
        while not await has_stored_words(store, run):  # noqa: ASYNC110 - of the database
            await asyncio.sleep(0.02)


async def has_stored_words(store: Store, run: Run) -> bool:
    last = await store.events.last(run.id)
    return last is not None and last.name == "thread.message.delta"
