"""Many runs: cancelled at random, expired, and so many that a leak would show."""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import psutil
import pytest

from tests.chaos.cluster import Caller
from tests.chaos.conftest import HURRY, NewSite
from tests.chaos.conversation import ask, read_outcome, until_over
from tests.chaos.following import LAST_EVENTS, Follower
from tests.chaos.planned_model import FUNCTION, LOOKUP, Plan, PlannedModel
from tests.upstream_scripts import Answer, Ending, Script, rate_limited, server_error

STORM_RUNS = int(os.environ.get("CHAOS_STORM", "200"))
SOAK_RUNS = int(os.environ.get("CHAOS_SOAK", "2000"))
WARM_UP = SOAK_RUNS // 4
AT_ONCE = 20
FAULTS = 0.01  # of the model's answers
# Some memory is always about to be given back; ten kilobytes a run would be more than that.
MORE_MEMORY, MORE_FILES = 1.1, 10

One = Callable[[Caller, int], Awaitable[None]]

logger = logging.getLogger(__name__)


@pytest.mark.parametrize(
    ("database", "processes"), [("sqlite", 1), ("postgresql", 2)], indirect=["database"]
)
async def test_cancellations_at_any_moment_give_one_end_equal_to_the_row(
    new_site: NewSite, model: PlannedModel, processes: int
) -> None:
    ends: Counter[str] = Counter()
    chance = random.Random(processes)

    async def one(site: Caller, number: int) -> None:
        plan = Plan(f"storm{number}", words=10, rate=chance.choice((None, 50.0)))
        path = await ask(site, plan)
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.1)
            await site.once(f"{path}/cancel", {})
        outcome = await read_outcome(site, plan, path)
        last = [event.event for event in outcome.replay if event.event in LAST_EVENTS]
        assert last == [f"thread.run.{outcome.run['status']}"]
        assert len(model.requests_of(plan, 0)) <= 1
        ends[outcome.run["status"]] += 1

    async with new_site(processes) as site:
        await at_once(site, STORM_RUNS, one)

    logger.info("%s runs: %s", STORM_RUNS, dict(ends))
    assert set(ends) == {"completed", "cancelled"}
    assert ends.total() == STORM_RUNS


@pytest.mark.both_databases
async def test_a_run_expires_wherever_it_waits(new_site: NewSite, model: PlannedModel) -> None:
    answering, asking = Plan("answering", gate=5), Plan("asking", (LOOKUP,))
    async with new_site(2, pace=HURRY, run_seconds=4) as site:
        paths = {
            answering: await ask(site.of(0), answering),
            asking: await ask(site.of(1), asking, tools=[FUNCTION]),
        }
        for path in paths.values():
            assert (await site.of(0).get(path))["expires_at"] is not None
        # Nobody is left but the one that knows neither the run nor its calls.
        waiting = Follower(site, paths[asking])
        await waiting.follow_until(lambda event: event.event == "thread.run.requires_action")
        await site.cluster.kill(1)
        outcomes = [await read_outcome(site.of(0), plan, path) for plan, path in paths.items()]

    assert [outcome.run["status"] for outcome in outcomes] == ["expired", "expired"]
    assert outcomes[0].text.endswith(":4 ")
    assert model.request(answering).hung_up.wait(10)


async def test_neither_memory_nor_files_pile_up(new_site: NewSite, model: PlannedModel) -> None:
    ends: Counter[str] = Counter()
    chance = random.Random(1)
    model.fault = lambda answer: faulty(chance) if chance.random() < FAULTS else answer

    async def one(site: Caller, number: int) -> None:
        follower = await until_over(site, await ask(site, Plan(f"soak{number}", words=5)))
        ends[follower.seen[-1].json()["status"]] += 1

    async with new_site() as site:
        process = psutil.Process(site.cluster.processes[0].pid)
        await at_once(site, WARM_UP, one)
        before = process.memory_info().rss, process.num_fds()
        await at_once(site, SOAK_RUNS - WARM_UP, one)
        after = process.memory_info().rss, process.num_fds()

    logger.info("%s; memory and files: %s, then %s", dict(ends), before, after)
    assert ends.total() == SOAK_RUNS
    assert set(ends) == {"completed", "failed"}
    assert ends["failed"] < SOAK_RUNS * 3 * FAULTS
    assert after[0] < MORE_MEMORY * before[0]
    assert after[1] <= before[1] + MORE_FILES


def faulty(chance: random.Random) -> Script:
    """Something that goes wrong at the model server, before the first word or behind it."""
    endings = (Ending.CUT, Ending.RESET, Ending.ERROR, Ending.EARLY, Ending.NO_FINISH)
    broken: list[Script] = [Answer(["half "], ending=ending) for ending in endings]
    return chance.choice([*broken, server_error(), rate_limited("0")])


async def at_once(site: Caller, number: int, one: One) -> None:
    """Have so many runs made, `AT_ONCE` of them at a time."""
    numbers = iter(range(number))

    async def some() -> None:
        for number in numbers:
            await one(site, number)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())
