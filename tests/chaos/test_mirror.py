"""Copies of what was said, while the processes that deliver them are killed and stopped."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from streamlit_assistant.mirror.figures import FRESH_SECONDS
from tests.chaos.cluster import LONGEST_SILENCE, Caller
from tests.chaos.conftest import HURRY, NewSite
from tests.chaos.conversation import Conversation, ask, new_assistant, until_over
from tests.chaos.planned_model import Plan, PlannedModel
from tests.chaos.test_kills import Plans, kill_at_random_points
from tests.history.conftest import missing
from tests.mirror.mirrored_store import copied
from tests.redis_server import INSTALL, plain_redis, redis_server_of

PACE = {**HURRY, "mirror_pause": 0.3}
KILLS = 8


@pytest.fixture
def copies(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'copies.db'}"


async def until_copied(site: Caller, which: int | None = None) -> None:
    """Wait until a process says that nothing is left to be copied."""
    await asyncio.sleep(2 * FRESH_SECONDS)  # what it says may be a moment old
    url = (site.url if which is None else site.of(which).url).replace("/v1", "/healthz")
    async with asyncio.timeout(LONGEST_SILENCE):
        while True:
            mirrors = (await site.http.get(url)).json().get("mirrors", [])
            if mirrors and not any(mirror["pending"] for mirror in mirrors):
                return
            await asyncio.sleep(0.05)


async def threads_of(site: Caller) -> list[str]:
    return [thread["id"] for thread in (await site.get("/threads?limit=100"))["data"]]


async def messages_of(site: Caller, thread_id: str) -> list[Any]:
    found: list[Any] = []
    while True:
        after = f"&after={found[-1]['id']}" if found else ""
        page = await site.get(f"/threads/{thread_id}/messages?limit=100&order=asc{after}")
        found += page["data"]
        if not page["has_more"]:
            return found


async def check_copies(site: Caller, url: str) -> int:
    """Check that every thread was copied, each message once and in order; return how many."""
    count = 0
    for thread_id in await threads_of(site):
        written = [
            (message["id"], "".join(part["text"]["value"] for part in message["content"]))
            for message in await messages_of(site, thread_id)
        ]
        found = await asyncio.to_thread(copied, url, thread_id)
        assert [(message.id, str(message.text)) for message in found] == written
        count += len(written)
    return count


@pytest.mark.parametrize(
    ("database", "processes"),
    [("sqlite", 1), ("postgresql", 2)],
    indirect=["database"],
)
async def test_copies_survive_the_death_of_who_delivers_them(
    new_site: NewSite, model: PlannedModel, copies: str, processes: int
) -> None:
    async with new_site(processes, seed=7, pace=PACE, history_urls=[copies]) as site:
        model.on_request = site.cluster.step
        assistant = await new_assistant(site)
        conversations = [Conversation(site, model, assistant) for _ in range(3)]
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number, conversation in enumerate(conversations):
                group.create_task(conversation.go_on(Plans(f"m{number}", processes), enough))
            await kill_at_random_points(site.cluster, KILLS, processes + 10)
            enough.set()
        await until_copied(site)

        assert await check_copies(site, copies) > KILLS


@pytest.mark.both_databases
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_process_goes_on_delivering(
    new_site: NewSite, copies: str, end: signal.Signals
) -> None:
    async with new_site(2, pace=PACE, history_urls=[copies]) as site:
        victim, other = site.cluster.processes
        for number in range(2):  # whoever of the two delivers, the other's messages come as well
            for which in (0, 1):
                path = await ask(site.of(which), Plan(f"before {number} {which}", words=3))
                await until_over(site.of(which), path)
        await until_copied(site, 1)

        victim.send(end)
        site.cluster.disturb()
        for number in range(3):
            path = await ask(site.of(1), Plan(f"after {number}", words=3))
            await until_over(site.of(1), path)
        await until_copied(site, 1)
        assert await check_copies(site.of(1), copies) == 14

        if end is signal.SIGSTOP:  # it wakes up, and is not the one that delivers any more
            victim.send(signal.SIGCONT)
            path = await ask(site.of(0), Plan("awake", words=3))
            await until_over(site.of(0), path)
            await until_copied(site, 0)
            assert await check_copies(site.of(0), copies) == 16
        assert other.is_healthy


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_store_and_processes_are_killed_in_turns(
    new_site: NewSite, model: PlannedModel
) -> None:
    program = plain_redis() or missing(f"Redis is missing: {INSTALL}")
    with redis_server_of(program) as redis:
        async with new_site(2, pace=PACE, history_urls=[redis.url]) as site:
            assistant = await new_assistant(site)
            conversation = Conversation(site, model, assistant)
            enough = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(conversation.go_on(Plans("r", 1), enough))
                for turn in range(4):
                    await asyncio.to_thread(redis.kill)
                    await site.cluster.kill(turn % 2)
                    await asyncio.to_thread(redis.start)
                    await site.cluster.start_again(turn % 2)
                enough.set()
            await until_copied(site)

            assert await check_copies(site, redis.url) > 0
