"""kill -9 at random points of runs with tools: nothing is lost, doubled, or locked.

`CHAOS_KILLS=200` kills more often. Each kill hits whatever all conversations are doing just then.
"""

import asyncio
import logging
import os
import random
import signal

import pytest

from streamlit_assistant.runs.execute_run import INTERRUPTED
from tests.chaos.checks import check_outcome
from tests.chaos.cluster import PATIENCE, Cluster
from tests.chaos.conftest import HURRY, NewSite
from tests.chaos.conversation import (
    Conversation,
    ask,
    counted,
    new_assistant,
    read_outcome,
    until_over,
)
from tests.chaos.following import Follower, says
from tests.chaos.planned_model import LOOKUP, SEARCH, Plan, PlannedModel

KILLS = int(os.environ.get("CHAOS_KILLS", "30"))
MOST_STEPS = 80  # until the next kill: what happens in about two turns
CONVERSATIONS = 4
ROUNDS = [
    *((), (LOOKUP,), (SEARCH,), (LOOKUP, LOOKUP)),
    *((SEARCH, LOOKUP), (LOOKUP, SEARCH, LOOKUP), (SEARCH, SEARCH)),
]

logger = logging.getLogger(__name__)


class Plans:
    """Questions of every kind, each with a name of its own."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._count = 0
        self._random = random.Random(f"{name} {seed}")

    def __call__(self) -> Plan:
        self._count += 1
        return Plan(
            f"{self._name}.{self._count}",
            self._random.choice(ROUNDS),
            words=self._random.choice((1, 20, 100)),
            rate=self._random.choice((None, 200.0)),
            delay=self._random.choice((0.0, 0.1, 0.3)),
        )


async def kill_at_random_points(cluster: Cluster, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        await cluster.steps(chance.randint(1, MOST_STEPS))
        await asyncio.sleep(chance.random() * 0.01)
        victim = chance.randrange(len(cluster.processes))
        await cluster.kill(victim)
        if len(cluster.processes) > 1 and chance.random() < 0.5:
            # The others go on without it for a while.
            await cluster.steps(chance.randint(1, MOST_STEPS))
        await cluster.start_again(victim)


@pytest.mark.parametrize(
    ("database", "processes"),
    [("sqlite", 1), ("sqlite", 2), ("postgresql", 2)],
    indirect=["database"],
)
async def test_runs_survive_the_death_of_their_process(
    new_site: NewSite, model: PlannedModel, processes: int
) -> None:
    async with new_site(processes, seed=processes, pace=HURRY) as site:
        model.on_request = site.cluster.step
        assistant = await new_assistant(site)
        conversations = [Conversation(site, model, assistant) for _ in range(CONVERSATIONS)]
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number, conversation in enumerate(conversations):
                plans = Plans(f"c{number}", processes)
                group.create_task(conversation.go_on(plans, enough))
            await kill_at_random_points(site.cluster, KILLS, processes)
            enough.set()

    ended = counted(conversations)
    lost = sum(conversation.lost_events for conversation in conversations)
    resumed = sum(outcome.was_resumed for c in conversations for outcome in c.outcomes)
    logger.info("%s kills: %s, %s resumed; %s events lost", KILLS, ended, resumed, lost)
    assert ended["completed"] > 0
    assert set(ended) <= {"completed", "failed"}


@pytest.mark.parametrize(
    ("database", "end"),
    [("sqlite", signal.SIGKILL), ("postgresql", signal.SIGSTOP)],
    indirect=["database"],
)
async def test_a_process_that_died_or_hangs_is_missed_in_time(
    new_site: NewSite, model: PlannedModel, end: signal.Signals
) -> None:
    async with new_site(2) as site:  # at the pace of everyday life
        plan = Plan("missed", words=10, gate=5)
        path = await ask(site.of(0), plan)
        await Follower(site.of(1), path).follow_until(says(4))
        site.cluster.processes[0].send(end)

        async with asyncio.timeout(PATIENCE):
            await until_over(site.of(1), path)
        outcome = await read_outcome(site.of(1), plan, path)

    check_outcome(outcome, model)
    assert outcome.run["last_error"]["message"] == INTERRUPTED
