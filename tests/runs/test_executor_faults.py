"""The executor when things break: the database, the process, two reasons to stop at once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from streamlit_assistant.errors import Unavailable
from streamlit_assistant.providers.base import TextDelta
from streamlit_assistant.records import Run, RunStatus
from streamlit_assistant.runs import RunExecutor
from streamlit_assistant.runs.execute_run import DEFECT
from streamlit_assistant.store import Limits, Store
from streamlit_assistant.store.run_queue import RunQueue
from streamlit_assistant.store.runs import Runs
from tests.conftest import FakeClock
from tests.factories import make_message, make_run, make_thread
from tests.runs.test_executor import QUICK, Site, site
from tests.scripted_provider import STOP, Line, ScriptedProvider

pytestmark = pytest.mark.both_databases


class FaultyRuns(Runs):
    """The runs of a database that is away when a test says so."""

    def __init__(self, whole: Runs) -> None:
        self.__dict__ = whole.__dict__
        self.away = 0
        self.slow = 0.0

    async def save(self, *args: Any, **kwargs: Any) -> None:
        fail_if_away(self)
        await asyncio.sleep(self.slow)
        await super().save(*args, **kwargs)


class FaultyQueue(RunQueue):
    """Their queue."""

    def __init__(self, whole: RunQueue) -> None:
        self.__dict__ = whole.__dict__
        self.away = 0

    async def claim(self, lease_owner: str, limits: Limits) -> Run | None:
        fail_if_away(self)
        return await super().claim(lease_owner, limits)


def fail_if_away(part: FaultyRuns | FaultyQueue) -> None:
    if part.away:
        part.away -= 1
        raise OperationalError("statement", {}, Exception("disk full"))


@pytest.fixture
def faulty(store: Store) -> FaultyRuns:
    store.runs = FaultyRuns(store.runs)
    return store.runs


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await holds():  # noqa: ASYNC110 - a row of the database is waited for
            await asyncio.sleep(0.02)


async def test_an_outcome_is_stored_once_the_database_is_back(
    store: Store, clock: FakeClock, faulty: FaultyRuns
) -> None:
    gate = asyncio.Event()
    async with site(store, clock, ["answer", gate, STOP]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        faulty.away = 4
        gate.set()

        assert (await s.ended(run)).status is RunStatus.COMPLETED
        assert (await s.answer())[0] == "answer"


async def test_an_outcome_that_cannot_be_put_into_words_still_ends_the_run(
    store: Store, clock: FakeClock
) -> None:
    unheard_of = TextDelta(["not", "text"])  # type: ignore[arg-type]
    async with site(store, clock, ["half", unheard_of, STOP], ["next", STOP]) as s:
        run = await s.ended(await s.ask())

        assert run.status is RunStatus.FAILED
        assert run.last_error == {"code": "server_error", "message": DEFECT}
        assert (await s.ended(await s.ask("still there?"))).status is RunStatus.COMPLETED


async def test_a_claim_that_fails_is_tried_again(store: Store, clock: FakeClock) -> None:
    store.queue = faulty = FaultyQueue(store.queue)
    s = Site(store, clock, ScriptedProvider(["one", STOP], ["two", STOP]))
    s.executor = RunExecutor(
        store, s.hub, s.provider, s.files.toolbox, clock, limits=Limits(at_work=0), pace=QUICK
    )
    run = await s.ask()  # no room: it waits in the database
    faulty.away = 1
    with_room = RunExecutor(store, s.hub, s.provider, s.files.toolbox, clock, pace=QUICK)
    await with_room.start()

    async def completed() -> bool:
        return (await store.runs.get(run.thread_id, run.id)).status is RunStatus.COMPLETED

    await eventually(completed)
    await with_room.stop()


async def test_a_burst_does_not_overrun_the_bound(store: Store, clock: FakeClock) -> None:
    gate = asyncio.Event()
    scripts: list[list[Line]] = [["x", gate, STOP] for _ in range(12)]
    provider = ScriptedProvider(*scripts)
    s = Site(store, clock, provider)
    s.executor = RunExecutor(
        store, s.hub, provider, s.files.toolbox, clock, limits=Limits(at_work=2), pace=QUICK
    )
    await s.executor.start()
    runs = []
    for _ in range(12):
        thread = make_thread()
        await store.threads.add(thread, [make_message(thread.id)])
        runs.append(make_run(thread.id, expires_at=int(clock()) + 600))

    await asyncio.gather(*(s.executor.create(run) for run in runs))
    await s.until_seen(runs[0], "thread.message.delta")
    at_once = len(provider.requests)
    gate.set()
    ended = [await s.ended(run) for run in runs]

    assert at_once <= 2
    assert {run.status for run in ended} == {RunStatus.COMPLETED}
    await s.executor.stop()


async def test_a_cancel_and_an_expiry_at_once_tear_nothing(
    store: Store, clock: FakeClock, faulty: FaultyRuns
) -> None:
    faulty.slow = 0.3  # the first words are still being stored when both come
    async with site(store, clock, ["half", asyncio.Event()]) as s:
        thread = make_thread()
        await store.threads.add(thread, [make_message(thread.id)])
        run = make_run(thread.id, expires_at=int(clock()) + 600)
        s.clock.now += 599.85
        await s.executor.create(run)
        await s.until_seen(run, "thread.run.in_progress")
        await asyncio.sleep(0.05)
        with contextlib.suppress(Unavailable):
            await s.executor.cancel(thread.id, run.id)
        events = await s.events(run)

    names = [name for _, name, _ in events]
    assert [seq for seq, _, _ in events] == list(range(1, len(events) + 1))
    assert names[-1] in ("thread.run.cancelled", "thread.run.expired")
    assert names.count("thread.message.created") == names.count("thread.message.incomplete")


async def test_a_follower_that_saw_more_than_was_stored_learns_the_end(
    store: Store, clock: FakeClock
) -> None:
    killed = Site(store, clock, ScriptedProvider(["a ", "b ", "c ", asyncio.Event()]))
    await killed.executor.start()
    run = await killed.ask()
    await killed.until_seen(run, "thread.message.delta")
    seen = killed.hub._channels[run.id].last_seq
    killed.kill()  # before the next flush
    await killed.vanish()
    stored = await store.events.after(run.id, 0)

    async with site(store, clock) as s:
        rest = await s.events(run, after=seen)

    assert stored[-1].seq < seen
    assert [name for _, name, _ in rest][-1] == "thread.run.failed"
    assert all(seq > seen for seq, _, _ in rest)
    await killed.executor.stop()


async def test_an_ending_server_takes_no_new_runs(store: Store, clock: FakeClock) -> None:
    async with site(store, clock) as s:
        thread = make_thread()
        await store.threads.add(thread, [make_message(thread.id)])
    with pytest.raises(Unavailable):
        await s.executor.create(make_run(thread.id))


async def test_a_cancel_is_noted_in_the_database(store: Store, clock: FakeClock) -> None:
    async with site(store, clock, ["half", asyncio.Event()]) as s:
        run = await s.ask()
        await s.until_seen(run, "thread.message.delta")
        await s.executor.cancel(run.thread_id, run.id)

        row = await store.runs.get(run.thread_id, run.id)
        assert row.status in (RunStatus.CANCELLING, RunStatus.CANCELLED)
        assert (await s.ended(run)).status is RunStatus.CANCELLED


async def test_a_cancel_that_a_killed_process_took_is_kept(store: Store, clock: FakeClock) -> None:
    thread = make_thread()
    await store.threads.add(thread, [make_message(thread.id)])
    async with site(store, clock, [asyncio.Event()]) as s:
        s.thread_id = thread.id
        run = await s.start()
        await s.until_seen(run, "thread.run.in_progress")
        await store.runs.mark_cancelling(run.id)
        for task in asyncio.all_tasks():
            if task.get_name().startswith("execute "):
                task.cancel()
        await s.vanish()

    async with site(store, clock) as again:
        assert (await again.ended(run)).status is RunStatus.CANCELLED
    assert again.provider.requests == []
