"""How long many runs take that may ask the model server 600 times a minute.

Run with `python -m tests.bench.paced`. Limit: 300 runs all complete, within 10 % of the
time that the limit itself takes. The model server refuses what is too much, counted by the second,
so that none must be sent too early. With `--processes 2` two processes share the limit on one
PostgreSQL.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx2

from tests.bench.figures import progress, show
from tests.bench.limited_model import MINUTE, limited_model_process
from tests.postgres import postgres_server
from tests.start_process import Site, free_port

KEY = "key-of-the-benchmark"
PER_MINUTE = 600
LIMIT = 0.10  # of the time that the limit itself takes
CREATED_AT_ONCE = 20
LONGEST = 300.0  # seconds for a run, its place in the queue included
COMPLETED, FAILED = "event: thread.run.completed", "event: thread.run.failed"
BODY = {
    "assistant_id": "asst_default",
    "stream": True,
    "thread": {"messages": [{"role": "user", "content": "Good morning"}]},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        model = stack.enter_context(limited_model_process(free_port(), PER_MINUTE))
        started = sites(Path(folder), model, given.runs, given.processes)
        urls = stack.enter_context(started)
        progress(f"{given.runs} runs ...")
        answers, seconds = asyncio.run(create_runs(urls, given.runs))
        counted = httpx2.get(f"{model}/_counted", trust_env=False).json()
    a_second = PER_MINUTE / MINUTE
    optimum = (given.runs - a_second) / a_second  # a second's worth goes at once
    show(
        f"{given.runs} runs at {PER_MINUTE} requests a minute, {given.processes} process(es) "
        f"(limit: none fails, {LIMIT:.0%} more than the optimum)",
        ["completed", "failed", "refused", "most in a second", "took", "optimum", "more"],
        [
            [
                str(sum(COMPLETED in answer for answer in answers)),
                str(sum(FAILED in answer for answer in answers)),
                f"{counted['refused']} of {counted['requests']}",
                str(counted["fullest_second"]),
                f"{seconds:.1f} s",
                f"{optimum:.1f} s",
                f"{seconds / optimum - 1:.1%}",
            ]
        ],
    )


@contextmanager
def sites(folder: Path, model: str, runs: int, processes: int) -> Iterator[Sequence[str]]:
    """Start so many processes that share everything; give their addresses."""
    room = ("MAX_RUNS", "MAX_RUNS_PER_USER", "MAX_QUEUED_RUNS", "MAX_QUEUED_RUNS_PER_USER")
    settings = {
        "ASSISTANT_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{model}/v1",
        "REQUESTS_PER_MINUTE": str(PER_MINUTE),
        **dict.fromkeys(room, str(runs)),
    }
    with ExitStack() as stack:
        if processes > 1:
            cluster = stack.enter_context(postgres_server(careless=False))
            settings["DATABASE_URL"] = cluster.new_database()
        urls = []
        for number in range(processes):
            home = folder / f"machine{number}"
            home.mkdir()
            site = Site.at(home, **settings)
            stack.enter_context(site.started())
            urls.append(site.url)
        yield urls


async def create_runs(urls: Sequence[str], runs: int) -> tuple[list[str], float]:
    """Return the streams of runs, created as fast as they are taken, and how long all took."""
    creating = asyncio.Semaphore(CREATED_AT_ONCE)
    options: dict[str, Any] = {
        "headers": {"Authorization": f"Bearer {KEY}"},
        "limits": httpx2.Limits(max_connections=runs),
        "timeout": LONGEST,
        "trust_env": False,
    }
    async with httpx2.AsyncClient(**options) as http:
        began = time.perf_counter()
        each = (create_run(http, url, creating) for url in islice(cycle(urls), runs))
        answers = await asyncio.gather(*each)
    return answers, time.perf_counter() - began


async def create_run(http: httpx2.AsyncClient, url: str, creating: asyncio.Semaphore) -> str:
    """Return all of the stream of a run that is created as soon as others have been."""
    async with AsyncExitStack() as stack:
        async with creating:
            stream = http.stream("POST", f"{url}/v1/threads/runs", json=BODY)
            answer = await stack.enter_async_context(stream)
        return (await answer.aread()).decode()


if __name__ == "__main__":
    main()
