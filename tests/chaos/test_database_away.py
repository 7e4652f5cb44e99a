"""PostgreSQL goes away and comes back, wholly or in part, while runs are under way."""

import asyncio
import logging

import pytest

from tests.chaos.checks import check_follower, check_outcome
from tests.chaos.cluster import LONGEST_SILENCE
from tests.chaos.conftest import HURRY, NewSite
from tests.chaos.conversation import Conversation, ask, counted, new_assistant, read_outcome
from tests.chaos.following import Follower, says
from tests.chaos.planned_model import Plan, PlannedModel
from tests.chaos.test_kills import CONVERSATIONS, Plans
from tests.chaos.test_two_processes import until_true
from tests.postgres import Postgres

RESTARTS = 3
SECONDS_AWAY = 0.5

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


async def test_runs_survive_a_restart_of_the_database(
    new_site: NewSite, model: PlannedModel, postgres: Postgres
) -> None:
    async with new_site(2) as site:
        model.on_request = site.cluster.step
        assistant = await new_assistant(site)
        conversations = [Conversation(site, model, assistant) for _ in range(CONVERSATIONS)]
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number, conversation in enumerate(conversations):
                group.create_task(conversation.go_on(Plans(f"c{number}", 1), enough))
            for _ in range(RESTARTS):
                await site.cluster.steps(site.cluster.random.randint(50, 200))
                await asyncio.to_thread(postgres.stop)
                await asyncio.sleep(SECONDS_AWAY)
                await asyncio.to_thread(postgres.start)
                site.cluster.disturb()
            await site.cluster.steps(200)
            enough.set()

    ended = counted(conversations)
    logger.info("%s restarts: %s", RESTARTS, ended)
    # No process has ended: whatever could not be stored was stored later.
    assert set(ended) == {"completed"}


async def test_what_no_signal_tells_is_found_all_the_same(
    new_site: NewSite, model: PlannedModel, postgres: Postgres, postgres_url: str
) -> None:
    async with new_site(2, pace=HURRY) as site:
        followed, stopped = Plan("followed", words=10, gate=5), Plan("stopped", words=10, gate=5)
        paths = {plan: await ask(site.of(0), plan) for plan in (followed, stopped)}
        followers = {plan: Follower(site.of(1), path) for plan, path in paths.items()}
        following = [asyncio.create_task(follower.follow()) for follower in followers.values()]
        for follower in followers.values():
            await follower.until(says(4))

        # Cut off as it is about to hear of what comes now.
        assert postgres.hang_up(postgres_url, "LISTEN") == 2
        model.open_gate(followed)
        await site.of(1).post(f"{paths[stopped]}/cancel", {})
        await until_true(model.request(stopped).hung_up.is_set)
        await asyncio.wait_for(asyncio.gather(*following), LONGEST_SILENCE)

        outcomes = {plan: await read_outcome(site, plan, path) for plan, path in paths.items()}
        # The connections are made again.
        await until_true(lambda: len(listeners(postgres, postgres_url)) == 2)

    assert outcomes[stopped].run["status"] == "cancelled"
    check_outcome(outcomes[followed], model)
    for plan, outcome in outcomes.items():
        assert check_follower(followers[plan].seen, outcome.replay) == 0


def listeners(postgres: Postgres, url: str) -> list[tuple[object, ...]]:
    query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query ILIKE 'LISTEN%%'"
    return postgres.run(query, url.rpartition("/")[2])
