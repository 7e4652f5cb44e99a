"""Between processes, at the wrong moment: what is asked for while a run changes hands."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from streamlit_assistant.records import RunStatus
from streamlit_assistant.runs import EventHub, Pace
from streamlit_assistant.runs import oversight as oversight_module
from streamlit_assistant.runs.channel import Channel
from streamlit_assistant.runs.membership import Membership
from streamlit_assistant.store import Store
from streamlit_assistant.store.runs import Runs
from tests.conftest import FakeClock, copied_database, opened_store
from tests.factories import make_message, make_run, make_thread
from tests.runs.processes import Start, until
from tests.runs.test_tool_calls import CALLS, WEATHER, call
from tests.scripted_provider import STOP

pytestmark = pytest.mark.both_databases


class Overtaken(Runs):
    """Lets something happen between the two transactions of a cancellation."""

    def __init__(self, whole: Runs, overtake: Any) -> None:
        self.__dict__ = whole.__dict__
        self._overtake = overtake

    async def mark_cancelling(self, run_id: str) -> bool:
        await self._overtake()
        return await super().mark_cancelling(run_id)


async def test_a_cancellation_that_a_pause_overtakes_is_not_lost(start: Start) -> None:
    gate = asyncio.Event()
    one, other = await start([*call(0, "Oslo"), gate, CALLS]), await start()
    run = await one.ask(tools=[WEATHER])
    await one.until_seen(run, "thread.run.step.delta")

    async def stands(*statuses: RunStatus) -> bool:
        return (await one.store.runs.get(run.thread_id, run.id)).status in statuses

    async def pause() -> None:
        gate.set()
        await until(lambda: stands(RunStatus.REQUIRES_ACTION, RunStatus.CANCELLED))

    other.store.runs = Overtaken(other.store.runs, pause)
    await other.executor.cancel(run.thread_id, run.id)

    await until(lambda: stands(RunStatus.CANCELLED))


@pytest.mark.parametrize("role", ["api", "all"])
async def test_a_waiting_run_that_could_not_be_ended_waits_on(
    start: Start, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start([*call(0, "Oslo"), CALLS], ["Rain", STOP])
    run = await worker.ended(await worker.ask(tools=[WEATHER]))
    door = await start(role=role)
    # The database goes away after the run was claimed, before what is left of it was read.
    steps_of, is_away = door.store.steps.of_run, [True]

    async def of_run(run_id: str) -> Any:
        if is_away:
            raise OperationalError("SELECT", {}, Exception("the server was restarted"))
        return await steps_of(run_id)

    monkeypatch.setattr(door.store.steps, "of_run", of_run)
    monkeypatch.setattr(oversight_module, "STRAY_SECONDS", 0.2)
    with pytest.raises(OperationalError):
        await door.executor.cancel(run.thread_id, run.id)
    is_away.clear()

    async def waits_again() -> bool:
        now = await worker.store.runs.get(run.thread_id, run.id)
        return (now.status, now.lease_owner) == (RunStatus.REQUIRES_ACTION, None)

    await until(waits_again)
    await worker.executor.submit(run.thread_id, run.id, [("call_Oslo", "rain")])
    assert (await worker.ended(run)).status is RunStatus.COMPLETED


async def test_followers_of_a_replaced_channel_come_over(store: Store) -> None:
    thread = make_thread()
    await store.threads.add(thread, [make_message(thread.id)])
    run = make_run(thread.id, status=RunStatus.IN_PROGRESS)
    await store.runs.add(run, lambda _: [Channel().number("thread.run.created", {})])
    hub, first, second = EventHub(store), Channel(1), Channel(2)
    hub.adopt(run.id, first)
    follow = hub.follow(run, 1, 60)
    reading = asyncio.ensure_future(anext(follow))
    first.add([first.number("thread.message.delta", {})])
    seen = [event.name for event in await reading]
    reading = asyncio.ensure_future(anext(follow))
    await asyncio.sleep(0)
    hub.adopt(run.id, second)  # the same process has taken the run again
    second.add([second.number("thread.run.completed", {})])
    seen += [event.name for event in await asyncio.wait_for(reading, 10)]

    assert seen == ["thread.message.delta", "thread.run.completed"]
    await follow.aclose()


async def test_a_clock_that_jumps_buries_nobody_alive(empty_database: Path, tmp_path: Path) -> None:
    clock, url = FakeClock(), copied_database(empty_database, tmp_path)
    async with opened_store(url, clock) as mine, opened_store(url, clock) as its:
        one, other = Membership(mine, "all", Pace()), Membership(its, "all", Pace())
        await one.join()
        await other.join()
        await mine.executors.renew(one.name, 10)
        await one._look_around()
        clock.now += 100  # the machine slept, and the loop's clock with it
        await mine.executors.renew(one.name, 10)
        await one._look_around()

        assert await its.executors.renew(other.name, 10)


async def test_a_run_stored_while_the_process_ends_is_left_to_others(start: Start) -> None:
    one, other = await start(["half", asyncio.Event()]), await start(["whole", STOP])
    add, gate, reached = one.store.runs.add, asyncio.Event(), asyncio.Event()

    async def late(*args: Any) -> Any:
        added = await add(*args)
        reached.set()
        await gate.wait()
        return added

    one.store.runs.add = late  # type: ignore[assignment,method-assign]
    asking = asyncio.create_task(one.ask())
    await reached.wait()
    await one.executor.stop()
    gate.set()
    ended = await other.ended(await asking)

    assert (ended.status, one.provider.requests) == (RunStatus.COMPLETED, [])


async def test_a_deleted_run_ends_its_followers_however_busy_the_others_are(start: Start) -> None:
    one, other = await start(["half", asyncio.Event()]), await start()
    run = await one.ask()
    await other.until_seen(run, "thread.message.delta")
    following = asyncio.create_task(other.events(run))
    while other.hub.followers == 0:  # noqa: ASYNC110 - a deleted run cannot be followed
        await asyncio.sleep(0.01)

    async def make_noise() -> None:
        while True:
            other.store.signals._tell("*")
            await asyncio.sleep(0.02)

    noise = asyncio.create_task(make_noise())
    await one.store.threads.delete("owner", run.thread_id)
    one.executor.abandon(run.id)
    await asyncio.wait_for(following, 15)
    noise.cancel()


async def test_who_leaves_does_not_come_back(start: Start) -> None:
    one, other = await start(), await start()
    renew, gate, reached = one.store.executors.renew, asyncio.Event(), asyncio.Event()

    async def late(name: str, lease_seconds: float) -> bool:
        reached.set()
        await gate.wait()
        return await renew(name, lease_seconds)

    one.store.executors.renew = late  # type: ignore[method-assign]
    await reached.wait()
    await one.executor.membership.leave()
    name = one.executor.membership.name
    gate.set()
    await asyncio.sleep(0.3)

    assert one.executor.membership.name == name
    assert [process.name for process in await other.store.executors.all()] == [
        other.executor.membership.name
    ]
