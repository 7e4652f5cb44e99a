"""Several processes as one site, the way people start them."""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from streamlit_assistant.server import Server
from streamlit_assistant.settings import Settings
from tests.start_process import Site, Started, free_port
from tests.tiny_proxy import tiny_proxy

KEY = "0123456789abcdef"
TIMED = (sys.executable, "-X", "importtime", "-m", "main")
LOADED = re.compile(r"^import time:.*\| +streamlit(\.|$)", re.MULTILINE)


@contextmanager
def another(site: Site, name: str, *flags: str) -> Iterator[tuple[Site, Started]]:
    """One more process of a site, with an output of its own."""
    folder = site.folder / name
    folder.mkdir()
    more = replace(site, folder=folder, port=free_port())
    with more.started([*TIMED, "--port", str(more.port), *flags]) as started:
        yield more, started


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.at(tmp_path, ASSISTANT_API_KEY=KEY)


def sdk(site: Site) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{site.url}/v1", api_key=KEY, max_retries=0, timeout=30)


def ask(site: Site) -> Any:
    """Have a question answered, and return the thread's newest message."""
    with sdk(site) as client:
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello!"}])
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id, assistant_id="asst_default"
        )
        assert run.status == "completed"
        return client.beta.threads.messages.list(thread.id, limit=1).data[0]


def processes(site: Site) -> dict[str, int]:
    """How many processes of each role the site says that it has."""
    with site.client(KEY) as client:
        text = client.get("/metrics").raise_for_status().text
    found = re.findall(r'^assistant_processes\{role="(\w+)"\} (\d+)', text, re.MULTILINE)
    return {role: int(number) for role, number in found}


def test_two_whole_processes_on_one_folder_are_one_site(site: Site) -> None:
    with another(site, "first") as (first, _), another(site, "second") as (second, _):
        message = ask(first)
        with sdk(second) as client:
            seen = client.beta.threads.messages.retrieve(message.id, thread_id=message.thread_id)
        counted = processes(second)

        assert LOADED.search(first.output)

    assert seen == message
    assert counted == {"all": 2, "api": 0, "worker": 0}


def test_machines_on_one_postgresql_are_one_site_behind_a_proxy(
    site: Site, postgres_url: str, tmp_path: Path
) -> None:
    """Each has a data folder of its own, as on a machine of its own."""
    homes = [
        replace(site, environ={**site.environ, "DATABASE_URL": postgres_url, "DATA_DIR": str(home)})
        for home in (tmp_path / "here", tmp_path / "there")
    ]
    with (
        another(homes[0], "first") as (first, _),
        another(homes[1], "second") as (second, _),
        tiny_proxy(first.port, second.port) as proxy,
        openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0, timeout=30) as client,
    ):
        # A new connection for each request: every other one goes to the other machine.
        client = client.with_options(default_headers={"Connection": "close"})
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello!"}])
        with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id="asst_default"
        ) as events:
            streamed = "".join(events.text_deltas)
        seen = [client.beta.threads.messages.list(thread.id).data[0] for _ in range(2)]
        file = client.files.create(file=("a.txt", b"tortoise"), purpose="assistants")
        contents = [client.files.content(file.id).content for _ in range(2)]
        counted = processes(second)

    assert proxy.used == [first.port, second.port] * 3 + [first.port]
    assert streamed == seen[0].content[0].text.value  # type: ignore[union-attr]
    assert seen[0] == seen[1]
    assert contents == [b"tortoise"] * 2
    assert counted["all"] == 2
    assert sorted(path.name for path in (tmp_path / "here").glob("*.db*")) == []


def test_the_api_and_a_worker_are_a_site_without_a_page(site: Site) -> None:
    with (
        another(site, "api", "--api-only") as (api, api_process),
        another(site, "worker", "--worker-only") as (worker, worker_process),
    ):
        answer = ask(api)
        with worker.client(KEY) as to_worker, api.client(KEY) as to_api:
            statuses = [
                client.get(path).status_code
                for client in (to_worker, to_api)
                for path in ("/v1/models", "/", "/healthz", "/metrics")
            ]
        counted = processes(worker)
        ends = [api_process.end(), worker_process.end()]

    assert answer.role == "assistant"
    assert counted == {"all": 0, "api": 1, "worker": 1}
    assert statuses == [404, 404, 200, 200, 200, 404, 200, 200]
    assert ends == [0, 0]
    for output in (api.output, worker.output):
        assert "Traceback" not in output
        assert not LOADED.search(output)


def test_an_api_alone_says_that_runs_have_to_wait(site: Site) -> None:
    with another(site, "api", "--api-only") as (api, _), sdk(api) as client:
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello!"}])
        run = client.beta.threads.runs.create(thread.id, assistant_id="asst_default")
        told = api.output

        with another(site, "worker", "--worker-only"):
            done = client.beta.threads.runs.poll(run.id, thread_id=thread.id)

    assert "start --worker-only" in told
    assert (run.status, done.status) == ("queued", "completed")


@pytest.mark.both_databases
async def test_of_servers_that_start_together_for_the_first_time_one_shows_a_key(
    settings: Settings,
) -> None:
    own = replace(settings, assistant_api_key=None)
    servers = [Server(own, local_base_url=None) for _ in range(3)]
    all_run = asyncio.Barrier(len(servers))

    async def run(server: Server) -> None:
        server.prepare()
        async with server.running():
            await all_run.wait()

    async with asyncio.TaskGroup() as group:
        for server in servers:
            group.create_task(run(server))

    assert sum(server.first_start is not None for server in servers) == 1


def test_what_a_process_is_to_be_is_one_thing(site: Site) -> None:
    ended = site.run("--api-only", "--worker-only")

    assert ended.returncode == 2
    assert "not allowed with argument" in ended.stderr
