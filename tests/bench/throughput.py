"""How many runs a second one process carries from their creation to their end.

Run with `python -m tests.bench.throughput`. Limit: at least 60 a second with 20 clients. Each
client creates a thread with a run on it and follows its stream to `done`; the offline assistant
answers at once, so what is measured is ours alone. `--model` asks a scripted model server instead,
which has a process of its own.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

import httpx2

from tests.bench.figures import progress, show, spread
from tests.start_process import Site, free_port
from tests.upstream import model_process

KEY = "key-of-the-benchmark"
LIMIT = 60  # runs a second
LONGEST = 60.0  # seconds for an answer
BODY = {
    "assistant_id": "asst_default",
    "stream": True,
    "thread": {"messages": [{"role": "user", "content": "Say t 1"}]},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--model", action="store_true", help="let a model server answer")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        settings = {"ASSISTANT_API_KEY": KEY}
        if given.model:
            settings["OPENAI_BASE_URL"] = stack.enter_context(model_process(free_port()))
        site = Site.at(Path(folder), **settings)
        stack.enter_context(site.started())
        progress("warming up ...")
        asyncio.run(measure([site.url], given.clients, 2.0))
        progress(f"measuring for {given.seconds} seconds ...")
        runs, seconds = asyncio.run(measure([site.url], given.clients, given.seconds))
    show(
        f"Runs through HTTP, {given.clients} clients (limit: {LIMIT} a second)",
        ["runs", "a second", "p50", "p95", "max"],
        [[str(len(runs)), f"{len(runs) / seconds:.1f}", *spread(runs)]],
    )


async def measure(urls: Sequence[str], clients: int, seconds: float) -> tuple[list[float], float]:
    """Return how long each run took, and all of them together; clients take turns at the sites."""
    began = time.perf_counter()
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {KEY}"},
        limits=httpx2.Limits(max_connections=clients),
        timeout=LONGEST,
        trust_env=False,
    ) as http:
        until = began + seconds
        sites = islice(cycle(urls), clients)
        each = await asyncio.gather(*(create_runs(http, url, until) for url in sites))
    return [run for runs in each for run in runs], time.perf_counter() - began


async def create_runs(http: httpx2.AsyncClient, url: str, until: float) -> list[float]:
    """Create runs one after the other; return how long each took until its stream was done."""
    taken = []
    while (began := time.perf_counter()) < until:
        answer = await http.post(f"{url}/v1/threads/runs", json=BODY)
        assert "event: thread.run.completed" in answer.text, answer.text
        taken.append(time.perf_counter() - began)
    return taken


if __name__ == "__main__":
    main()
