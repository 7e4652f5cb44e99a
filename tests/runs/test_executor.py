"""The executor, on a real store, with a scripted model."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from streamlit_assistant.errors import InvalidRequest, RunErrorCode, UpstreamError
from streamlit_assistant.providers.base import (
    Finish,
    FinishReason,
    PromptMessage,
    ReasoningDelta,
    RefusalDelta,
    Turn,
    Usage,
)
from streamlit_assistant.records import JSON, MessageStatus, PageQuery, Run, RunStatus, StepStatus
from streamlit_assistant.runs import EventHub, Pace, RunExecutor
from streamlit_assistant.runs.execute_run import DEFECT, INTERRUPTED
from streamlit_assistant.store import Limits, Store
from tests.conftest import FakeClock
from tests.factories import make_message, make_run, make_thread
from tests.scripted_provider import STOP, Line, ScriptedProvider
from tests.scripted_toolbox import ScriptedFiles

pytestmark = pytest.mark.both_databases

HEARTBEAT = 5.0
QUICK = Pace(drain=0.05)


async def never(*_args: Any, **_options: Any) -> None:
    await asyncio.Event().wait()


class Site:
    """A store with an executor on it, and a thread with one question."""

    def __init__(self, store: Store, clock: FakeClock, provider: ScriptedProvider) -> None:
        self.files = ScriptedFiles()
        self.store = store
        self.clock = clock
        self.provider = provider
        self.hub = EventHub(store)
        self.executor = RunExecutor(
            store, self.hub, provider, self.files.toolbox, clock, pace=QUICK
        )
        self.thread_id = ""

    async def next_process(self, **options: Any) -> None:
        await self.executor.stop()
        self.hub = EventHub(self.store)
        self.executor = RunExecutor(
            self.store, self.hub, self.provider, self.files.toolbox, self.clock, **options
        )
        await self.executor.start()

    async def vanish(self) -> None:
        """Be buried by the others, as after a kill."""
        await self.store.executors.bury([self.executor.membership.name])

    def kill(self) -> None:
        """Stop all work at once, as a signal that cannot be caught would."""
        executions = [e._task for e in self.executor._executions.values()]
        for execution in self.executor._executions.values():
            execution._journal.commit = never  # type: ignore[method-assign]
        for task in [*executions, *self.executor._tasks]:
            task.cancel()
        self.executor._tasks = []

    async def ask(self, question: str = "hello", **fields: Any) -> Run:
        if not self.thread_id:
            thread = make_thread()
            self.thread_id = thread.id
            await self.store.threads.add(thread)
        await self.store.messages.add(make_message(self.thread_id, question))
        return await self.start(**fields)

    async def start(self, **fields: Any) -> Run:
        run = make_run(self.thread_id, **{"expires_at": int(self.clock()) + 600, **fields})
        await self.executor.create(run)
        return run

    async def events(self, run: Run, after: int = 0) -> list[tuple[int, str, JSON]]:
        current = await self.store.runs.get(run.thread_id, run.id)
        found = []
        async with asyncio.timeout(20):
            async for batch in self.hub.follow(current, after, HEARTBEAT):
                found += [(event.seq, event.name, json.loads(event.data)) for event in batch]
        return found

    async def ended(self, run: Run) -> Run:
        await self.events(run)
        return await self.store.runs.get(run.thread_id, run.id)

    async def answer(self) -> tuple[str, MessageStatus, str | None]:
        message = (await self.store.messages.newest(self.thread_id, 1))[0]
        text = "".join(part["text"]["value"] for part in message.content)
        return text, message.status, message.incomplete_reason

    async def until_seen(self, run: Run, name: str) -> None:
        current = await self.store.runs.get(run.thread_id, run.id)
        async with asyncio.timeout(20), aclosing(self.hub.follow(current, 0, HEARTBEAT)) as batches:
            async for batch in batches:
                if any(event.name == name for event in batch):
                    return


def said(turn: Turn) -> tuple[str, str]:
    """Who says what in a turn that the model is shown."""
    assert isinstance(turn, PromptMessage)
    return turn.role, turn.content[0]["text"]["value"]


@asynccontextmanager
async def site(store: Store, clock: FakeClock, *scripts: list[Line]) -> AsyncIterator[Site]:
    built = Site(store, clock, ScriptedProvider(*scripts))
    await built.executor.start()
    yield built
    await built.executor.stop()


async def test_a_plain_answer_emits_the_events_of_the_protocol_in_order(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, ["Hel", "lo", Usage(3, 2), STOP]) as s:
        events = await s.events(await s.ask())

    assert [name for _, name, _ in events] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    assert [seq for seq, _, _ in events] == list(range(1, 13))


async def test_an_answer_is_stored_with_its_run_and_step(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["Hel", "lo", Usage(3, 2), STOP]) as s:
        run = await s.ended(await s.ask())
        steps = await store.steps.page(run.id, PageQuery())

        assert await s.answer() == ("Hello", MessageStatus.COMPLETED, None)
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert (run.status, run.usage, run.expires_at) == (RunStatus.COMPLETED, usage, None)
    assert [(step.status, step.usage) for step in steps.items] == [(StepStatus.COMPLETED, usage)]


async def test_followers_early_late_and_resuming_see_each_event_once(
    store: Store, clock: FakeClock
) -> None:
    gate = asyncio.Event()
    words = [f"w{n} " for n in range(50)]
    async with site(store, clock, [*words[:25], gate, *words[25:], STOP]) as s:
        run = await s.ask()
        early = asyncio.create_task(s.events(run))
        await s.until_seen(run, "thread.message.delta")
        resuming = asyncio.create_task(s.events(run, after=20))
        gate.set()
        whole = await early
        late = await s.events(run)

        assert [seq for seq, _, _ in whole] == list(range(1, len(whole) + 1))
        assert await resuming == whole[20:]
        assert late == whole
    assert [seq for seq, _, _ in whole][-1] == (
        await store.runs.get(run.thread_id, run.id)
    ).last_event


async def test_the_model_is_shown_the_whole_conversation(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["first answer", STOP], ["second", STOP]) as s:
        await s.ended(await s.ask("one"))
        await s.ended(await s.ask("two"))

    shown = [said(turn) for turn in s.provider.requests[1].messages]
    assert shown == [("user", "one"), ("assistant", "first answer"), ("user", "two")]


async def test_reasoning_is_not_part_of_the_answer(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [ReasoningDelta("hm"), "yes", STOP]) as s:
        await s.ended(await s.ask())

        assert (await s.answer())[0] == "yes"


async def test_a_refusal_is_a_refusal_part(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, [RefusalDelta("no"), STOP]) as s:
        await s.ended(await s.ask())
        message = (await store.messages.newest(s.thread_id, 1))[0]

    assert message.content == [{"type": "refusal", "refusal": "no"}]


@pytest.mark.parametrize(
    ("reason", "details", "message_reason"),
    [
        (FinishReason.MAX_TOKENS, {"reason": "max_completion_tokens"}, "max_tokens"),
        (FinishReason.CONTENT_FILTER, {}, "content_filter"),
    ],
)
async def test_a_cut_off_answer_is_incomplete_and_kept(
    store: Store, clock: FakeClock, reason: FinishReason, details: JSON, message_reason: str
) -> None:
    async with site(store, clock, ["half", Finish(reason)]) as s:
        run = await s.ended(await s.ask())

        assert await s.answer() == ("half", MessageStatus.INCOMPLETE, message_reason)
    assert (run.status, run.incomplete_details) == (RunStatus.INCOMPLETE, details)


async def test_an_upstream_failure_keeps_the_text_and_says_why(
    store: Store, clock: FakeClock
) -> None:
    broken = UpstreamError("it broke", RunErrorCode.RATE_LIMIT_EXCEEDED)
    async with site(store, clock, ["half", broken], ["again", STOP]) as s:
        run = await s.ended(await s.ask())

        assert await s.answer() == ("half", MessageStatus.INCOMPLETE, "run_failed")
        assert run.status is RunStatus.FAILED
        assert run.last_error == {"code": "rate_limit_exceeded", "message": "it broke"}

        again = await s.ended(await s.start())

    assert again.status is RunStatus.COMPLETED
    # The broken answer is replaced by the new one, not continued.
    assert [said(turn)[0] for turn in s.provider.requests[1].messages] == ["user"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([], "closed the connection before the answer ended"),
        (["half"], "closed the connection before the answer ended"),
        ([STOP], "empty answer"),
        ([ZeroDivisionError("secret detail")], DEFECT),
    ],
)
async def test_no_failure_of_a_model_is_silent(
    store: Store, clock: FakeClock, script: list[Line], said: str
) -> None:
    async with site(store, clock, script) as s:
        run = await s.ended(await s.ask())

    assert run.status is RunStatus.FAILED
    assert run.last_error is not None
    assert said in run.last_error["message"]
    assert "secret detail" not in run.last_error["message"]


async def test_cancelling_closes_the_upstream_and_keeps_the_text(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, ["half", asyncio.Event()], ["next", STOP]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")

        shown = await s.executor.cancel(run.thread_id, run.id)
        events = await s.events(run)

        assert shown.status is RunStatus.CANCELLING
        assert [name for _, name, _ in events][-4:] == [
            "thread.run.cancelling",
            "thread.message.incomplete",
            "thread.run.step.cancelled",
            "thread.run.cancelled",
        ]
        assert await s.answer() == ("half", MessageStatus.INCOMPLETE, "run_cancelled")
        assert s.provider.closed == 1
        assert (await s.ended(await s.ask("go on"))).status is RunStatus.COMPLETED


async def test_a_waiting_run_can_be_cancelled(store: Store, clock: FakeClock) -> None:
    s = Site(store, clock, ScriptedProvider(["busy", asyncio.Event()]))
    s.executor = RunExecutor(
        store, s.hub, s.provider, s.files.toolbox, clock, limits=Limits(at_work=1), pace=QUICK
    )
    await s.executor.start()
    busy = await s.ask()
    await s.until_seen(busy, "thread.message.delta")
    s.thread_id = ""
    waiting = await s.ask("me too")

    await s.executor.cancel(waiting.thread_id, waiting.id)
    events = await s.events(waiting)

    assert [name for _, name, _ in events] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.cancelling",
        "thread.run.cancelled",
    ]
    assert len(s.provider.requests) == 1
    await s.executor.stop()


async def test_an_ended_run_cannot_be_cancelled(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["done", STOP]) as s:
        run = await s.ended(await s.ask())

        with pytest.raises(InvalidRequest, match="Cannot cancel run with status 'completed'"):
            await s.executor.cancel(run.thread_id, run.id)


async def test_cancels_at_any_moment_give_one_end_equal_to_the_row(
    store: Store, clock: FakeClock
) -> None:
    scripts: list[list[Line]] = [["a", "b", "c", STOP] for _ in range(60)]
    async with site(store, clock, *scripts) as s:
        for turn in range(60):
            run = await s.ask()
            for _ in range(turn % 20):
                await asyncio.sleep(0)
            await asyncio.sleep(0.001 * (turn % 7))
            try:
                await s.executor.cancel(run.thread_id, run.id)
            except InvalidRequest:
                assert (await store.runs.get(run.thread_id, run.id)).status is RunStatus.COMPLETED
            events = await s.events(run)
            row = await store.runs.get(run.thread_id, run.id)

            ends = [name for _, name, _ in events if name in _ENDS]
            assert ends == [f"thread.run.{row.status}"]


_ENDS = {"thread.run.completed", "thread.run.cancelled", "thread.run.failed"}


async def test_a_run_that_takes_too_long_expires_and_keeps_its_text(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, ["half", asyncio.Event()]) as s:
        thread = make_thread()
        await store.threads.add(thread, [make_message(thread.id)])
        s.thread_id = thread.id
        run = make_run(thread.id, expires_at=int(clock()) + 600)
        clock.now += 599.8
        await s.executor.create(run)
        ended = await s.ended(run)

        assert (ended.status, ended.expires_at) == (RunStatus.EXPIRED, None)
        assert await s.answer() == ("half", MessageStatus.INCOMPLETE, "run_expired")
        assert s.provider.closed == 1


async def test_stopping_the_server_keeps_what_was_shown(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["half", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")

    row = await store.runs.get(run.thread_id, run.id)
    assert row.status is RunStatus.FAILED
    assert row.last_error == {"code": "server_error", "message": INTERRUPTED}
    assert await s.answer() == ("half", MessageStatus.INCOMPLETE, "run_failed")


async def test_a_run_that_had_shown_nothing_is_executed_after_a_restart(
    store: Store, clock: FakeClock
) -> None:
    async with site(store, clock, [asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.run.in_progress")
    assert (await store.runs.get(run.thread_id, run.id)).lease_owner is None

    async with site(store, clock, ["at last", STOP]) as again:
        events = await again.events(run)

    assert [seq for seq, _, _ in events] == list(range(1, len(events) + 1))
    assert [name for _, name, _ in events].count("thread.run.in_progress") == 1
    assert events[-1][1] == "thread.run.completed"


async def test_a_killed_process_loses_no_stored_text_and_locks_no_thread(
    store: Store, clock: FakeClock
) -> None:
    killed = Site(store, clock, ScriptedProvider(["half ", "an answer", asyncio.Event()]))
    await killed.executor.start()
    run = await killed.ask()
    await killed.until_seen(run, "thread.message.delta")
    await killed.executor._writer.flush()  # what a flush interval would have stored
    for task in asyncio.all_tasks():
        if task.get_name().startswith("execute "):
            task.cancel()  # nobody told it why, so it ends without a word, as after kill -9
    await killed.executor.stop()

    async with site(store, clock, ["next", STOP]) as s:
        row = await s.ended(run)
        s.thread_id = killed.thread_id
        assert row.status is RunStatus.FAILED
        assert (await s.answer())[0] in ("half ", "half an answer")
        assert (await s.ended(await s.ask("still there?"))).status is RunStatus.COMPLETED


async def test_deleting_the_thread_ends_its_run(store: Store, clock: FakeClock) -> None:
    ticking: list[Line] = ["tick " for _ in range(3)]
    gate = asyncio.Event()
    async with site(store, clock, [*ticking, gate, "after", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await store.threads.delete(run.owner, run.thread_id)
        gate.set()
        await asyncio.wait_for(s.provider.was_closed.wait(), 10)

    assert s.provider.closed == 1


async def test_the_outcome_of_a_run_outlives_its_events(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["done", STOP]) as s:
        run = await s.ended(await s.ask())
        await store.events.forget(int(clock()) + 1)

        events = await s.events(run)

    assert [(seq, name) for seq, name, _ in events] == [(run.last_event, "thread.run.completed")]
