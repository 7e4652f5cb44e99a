"""Two executors on one database, each with its own connections, as in two processes."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from streamlit_assistant.errors import InvalidRequest, TooManyRuns
from streamlit_assistant.records import MessageStatus, PageQuery, Run, RunStatus
from streamlit_assistant.runs.execute_run import GIVEN_UP, INTERRUPTED, Stop
from streamlit_assistant.store import Limits
from streamlit_assistant.store.runs import Runs
from tests.factories import make_message, make_run, make_thread
from tests.runs.processes import HURRIED, Process, Start, until
from tests.runs.test_tool_calls import CALLS, WEATHER, call, check, names
from tests.scripted_provider import STOP, Line

pytestmark = pytest.mark.both_databases


async def stands(process: Process, run: Run, *statuses: RunStatus) -> bool:
    return (await process.store.runs.get(run.thread_id, run.id)).status in statuses


async def test_a_follower_in_another_process_sees_each_event_once(start: Start) -> None:
    gate = asyncio.Event()
    words = [f"w{n} " for n in range(40)]
    one, other = await start([*words[:20], gate, *words[20:], STOP]), await start()
    run = await one.ask()
    following = asyncio.create_task(other.events(run))
    await other.until_seen(run, "thread.message.delta")
    gate.set()
    here, there = await one.events(run), await following

    assert there == here == await other.events(run)
    assert [seq for seq, _, _ in there] == list(range(1, len(there) + 1))
    check(there)
    assert other.provider.requests == []


async def test_a_follower_of_a_run_that_waits_gets_signs_of_life(start: Start) -> None:
    door = await start(role="api")
    run = await door.ask()
    follow = door.hub.follow(run, run.last_event, 2.5 * HURRIED.look)
    async with asyncio.timeout(15):
        batches = [len(await anext(follow)), len(await anext(follow))]

    assert batches == [2, 0]


async def test_a_cancel_reaches_the_process_that_executes(start: Start) -> None:
    one, other = await start(["half", asyncio.Event()]), await start()
    run = await one.ask()
    await one.until_seen(run, "thread.message.delta")

    shown = await other.executor.cancel(run.thread_id, run.id)
    await asyncio.wait_for(one.provider.was_closed.wait(), 10)
    ended = await other.ended(run)

    assert (shown.status, ended.status) == (RunStatus.CANCELLING, RunStatus.CANCELLED)
    assert await one.answer() == ("half", MessageStatus.INCOMPLETE, "run_cancelled")


class Held(Runs):
    """Lets what ends an attempt wait at a gate."""

    def __init__(self, whole: Runs) -> None:
        self.__dict__ = whole.__dict__
        self.reached, self.gate = asyncio.Event(), asyncio.Event()

    async def save(self, *args: Any, **options: Any) -> None:
        if options.get("unless_cancelling"):
            self.reached.set()
            await self.gate.wait()
        await super().save(*args, **options)


@pytest.mark.parametrize(
    "script", [["done", STOP], [*call(0, "Oslo"), CALLS]], ids=["end", "pause"]
)
async def test_a_cancel_from_elsewhere_is_not_lost_to_an_end_or_a_pause(
    start: Start, script: list[Line]
) -> None:
    one, other = await start(script), await start()
    one.store.runs = held = Held(one.store.runs)
    run = await one.ask(tools=[WEATHER])
    await held.reached.wait()
    await other.executor.cancel(run.thread_id, run.id)
    held.gate.set()
    events = await other.events(run)

    assert names(events)[-1] == "run.cancelled"
    assert "run.cancelling" in names(events)
    check(events)
    assert (await other.ended(run)).status is RunStatus.CANCELLED


async def test_what_a_killed_process_had_shown_nothing_of_is_executed_by_another(
    start: Start,
) -> None:
    one, other = await start([asyncio.Event()]), await start(["Hello", STOP])
    run = await one.ask()
    await one.until_seen(run, "thread.run.in_progress")
    one.kill()

    events = await other.events(run)

    assert names(events)[-1] == "run.completed"
    assert await one.answer() == ("Hello", MessageStatus.COMPLETED, None)
    ended = await other.ended(run)
    assert (ended.takeovers, len(other.provider.requests)) == (1, 1)


async def test_what_a_killed_process_had_begun_to_write_fails_and_is_kept(start: Start) -> None:
    one, other = await start(["half", asyncio.Event()]), await start(["next", STOP])
    run = await one.ask()

    async def is_stored() -> bool:
        last = await other.store.events.last(run.id)
        return last is not None and last.name == "thread.message.delta"

    await until(is_stored)
    following = asyncio.create_task(other.events(run))
    one.kill()
    events = await following
    ended = await other.ended(run)

    assert (ended.status, ended.last_error and ended.last_error["message"]) == (
        RunStatus.FAILED,
        INTERRUPTED,
    )
    assert await one.answer() == ("half", MessageStatus.INCOMPLETE, "run_failed")
    seqs = [seq for seq, _, _ in events]
    assert seqs == sorted(set(seqs))
    check(events)
    other.thread_id = run.thread_id
    assert (await other.ended(await other.ask("still there?"))).status is RunStatus.COMPLETED


async def test_a_run_over_which_processes_die_again_and_again_is_given_up(start: Start) -> None:
    one = await start([asyncio.Event()])
    run = await one.ask()
    await one.until_seen(run, "thread.run.in_progress")
    one.kill()
    await one.store.runs.modify(run.thread_id, run.id, {"takeovers": 2})
    other = await start(["never", STOP])

    ended = await other.ended(run)

    assert ended.status is RunStatus.FAILED
    assert ended.last_error is not None
    assert ended.last_error["message"] == GIVEN_UP
    assert other.provider.requests == []


async def test_a_process_taken_for_dead_writes_nothing_and_goes_on_under_another_name(
    start: Start,
) -> None:
    gate = asyncio.Event()
    one = await start(["half", gate, " whole", STOP], ["again", STOP])
    other = await start(role="api")
    run = await one.ask()
    await one.until_seen(run, "thread.message.delta")
    following = asyncio.create_task(one.events(run))
    name = one.executor.membership.name
    await other.store.executors.bury([name])
    [taken] = await other.store.queue.adopt_orphans(other.executor.membership.name)
    await other.executor._settle(taken, Stop.SHUTDOWN)
    gate.set()
    events = await following
    ended = await other.ended(run)

    assert ended.status is RunStatus.FAILED
    assert names(events)[-1] == "run.failed"
    stored = await other.store.events.after(run.id, 0)
    assert sum(event.name in ("thread.run.failed", "thread.run.completed") for event in stored) == 1

    async def has_joined_again() -> bool:
        return one.executor.membership.name != name

    await until(has_joined_again)
    assert (await one.ended(await one.ask("and now?"))).status is RunStatus.COMPLETED


async def test_a_process_that_executes_nothing_leaves_runs_to_the_others(start: Start) -> None:
    door, worker = await start(role="api"), await start(["Hello", STOP], role="worker")
    run = await door.ask()

    assert names(await door.events(run))[-1] == "run.completed"
    assert (door.provider.requests, len(worker.provider.requests)) == ([], 1)
    assert (door.executor.membership.living, door.executor.membership.working) == (2, 1)


async def test_a_deleted_thread_stops_the_run_in_the_other_process(start: Start) -> None:
    one, other = await start(["half", asyncio.Event()]), await start()
    run = await one.ask()
    await one.until_seen(run, "thread.message.delta")
    following = asyncio.create_task(other.events(run))
    await other.until_seen(run, "thread.message.delta")
    await other.store.threads.delete("owner", run.thread_id)
    other.executor.abandon(run.id)

    await asyncio.wait_for(one.provider.was_closed.wait(), 10)
    assert names(await following)[-1] == "message.delta"


async def test_metadata_changed_elsewhere_is_shown_at_the_end(start: Start) -> None:
    gate = asyncio.Event()
    one, other = await start(["half", gate, STOP]), await start()
    run = await one.ask()
    await one.until_seen(run, "thread.message.delta")
    await other.store.runs.modify(run.thread_id, run.id, {"metadata": {"a": "1"}})
    other.executor.note_metadata(run.id, {"a": "1"})

    async def is_noted() -> bool:
        return one.executor._executions[run.id].metadata == {"a": "1"}

    await until(is_noted)
    gate.set()
    assert (await other.events(run))[-1][2]["metadata"] == {"a": "1"}


async def test_what_signals_do_not_tell_is_found_all_the_same(start: Start) -> None:
    one, other = await start(["half", asyncio.Event()]), await start()
    for process in (one, other):
        process.store.signals._listeners.clear()
    run = await one.ask()
    await other.until_seen(run, "thread.message.delta")
    await other.executor.cancel(run.thread_id, run.id)

    assert names(await other.events(run))[-1] == "run.cancelled"


async def test_a_transaction_that_was_committed_after_all_is_not_done_again(start: Start) -> None:
    one = await start([*call(0, "Oslo"), CALLS], ["Rain ", "today.", STOP])
    one.store.runs = Unconfirmed(one.store.runs)
    run = await one.ask(tools=[WEATHER])
    before = await one.events(run)
    resumed = await one.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
    after = await one.events(run, resumed.last_event - 2)
    stored = [event.seq for event in await one.store.events.after(run.id, 0)]

    assert names(before)[-1] == "run.requires_action"
    assert names(after)[-1] == "run.completed"
    assert stored == list(range(1, len(stored) + 1))
    assert await one.answer() == ("Rain today.", MessageStatus.COMPLETED, None)


class Unconfirmed(Runs):
    """Commits, and loses the word of it: each time once."""

    def __init__(self, whole: Runs) -> None:
        self.__dict__ = whole.__dict__
        self._loses = True

    async def save(self, *args: Any, **options: Any) -> None:
        await super().save(*args, **options)
        self._loses = not self._loses
        if not self._loses:
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))


async def test_people_take_turns_and_places_are_counted(start: Start) -> None:
    door = await start(role="api")
    await new_run(door, "ann"), await new_run(door, "ann")
    third, bob = await new_run(door, "ann"), await new_run(door, "bob")
    queue, limits = door.store.queue, Limits(at_work=3, at_work_of_one=2)
    places = [await queue.position(run.id) for run in (third, bob)]
    taken = [await queue.claim("me", limits) for _ in range(4)]

    assert places == [4, 2]
    assert [run and run.owner for run in taken] == ["ann", "bob", "ann", None]
    assert await queue.position(third.id) == 1
    load = await queue.load()
    assert (load.running, load.waiting, load.people) == (3, 1, 2)


async def test_one_person_cannot_take_all_places(start: Start) -> None:
    door = await start(role="api")
    runs = [await new_run(door, "ann") for _ in range(3)]
    taken = [await door.store.queue.claim("me", Limits(at_work=9, at_work_of_one=2)) for _ in runs]

    assert [run and run.id for run in taken] == [runs[0].id, runs[1].id, None]


async def test_bounds_hold_over_all_processes(start: Start) -> None:
    gates = [["x", asyncio.Event()] for _ in range(6)]
    limits = Limits(at_work=3, at_work_of_one=3, waiting=4, waiting_of_one=2)
    one, other = await start(*gates, limits=limits), await start(*gates, limits=limits)
    results = await asyncio.gather(
        *(new_run(one if n % 2 else other, "ann") for n in range(8)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, TooManyRuns)]
    bobs = [await new_run(one, "bob") for _ in range(2)]
    with pytest.raises(TooManyRuns) as everybody:
        await new_run(other, "cid")
    load = await one.store.queue.load()

    assert (load.running, load.waiting_of["ann"], len(bobs)) == (3, 2, 2)
    assert len(refused) == 3
    assert everybody.value.retry_after > 0
    assert len(one.provider.requests) + len(other.provider.requests) <= 3


async def test_a_refused_run_leaves_nothing_behind(start: Start) -> None:
    door = await start(role="api", limits=Limits(at_work=0, waiting=0))
    thread = make_thread()
    await door.store.threads.add(thread)
    with pytest.raises(TooManyRuns):
        await door.executor.create(make_run(thread.id), [make_message(thread.id)])

    assert (await door.store.messages.page(thread.id, PageQuery())).items == []
    await door.store.messages.add(make_message(thread.id))


async def test_two_processes_cannot_lock_one_thread_twice(start: Start) -> None:
    doors = [await start(role="api"), await start(role="api")]
    thread = make_thread()
    await doors[0].store.threads.add(thread)
    expires_at = int(time.time()) + 600  # a run that is overdue would make room for another
    runs = [make_run(thread.id, expires_at=expires_at) for _ in range(6)]
    results = await asyncio.gather(
        *(doors[n % 2].executor.create(run) for n, run in enumerate(runs)), return_exceptions=True
    )

    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, InvalidRequest) for result in results) == 5


async def new_run(process: Process, owner: str) -> Run:
    thread = make_thread(owner=owner)
    await process.store.threads.add(thread, [make_message(thread.id)])
    run = make_run(thread.id, owner=owner, expires_at=int(time.time()) + 600)
    await process.executor.create(run)
    return run
