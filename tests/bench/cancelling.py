"""How long a cancellation takes to reach the model server, from the run's own process and another.

Run with `python -m tests.bench.cancelling`. Limit: 300 ms. The model server notes when a connection
is closed before its answer was over; both clocks are this machine's.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import httpx2

from tests.bench.fast_client import order, read_tokens
from tests.bench.figures import milliseconds, progress, show, spread
from tests.bench.neighbours import HEADERS, KEY, pair

LIMIT = 0.300  # seconds
LOOK_EVERY = 0.05
WORDS = 100_000  # more than anybody waits for
RATE = 20.0  # tokens a second


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=30)
    times = parser.parse_args().times
    rows = []
    for database in ("SQLite", "PostgreSQL"):
        with tempfile.TemporaryDirectory() as folder, pair(database, Path(folder)) as site:
            ways = {"the same process": site.urls[0], "another process": site.urls[1]}
            for way, url in ways.items():
                progress(f"{database}: cancelled in {way} ...")
                taken = asyncio.run(measure(site.model_url, site.urls[0], url, times))
                rows.append([database, way, *spread(taken)])
    show(
        f"From a cancellation to the model server, {times} times (limit: {milliseconds(LIMIT)})",
        ["database", "cancelled in", "p50", "p95", "max"],
        rows,
    )


async def measure(model_url: str, runs_at: str, cancelled_at: str, times: int) -> list[float]:
    """Return the seconds from each request to cancel until the model server was told."""
    taken = []
    async with httpx2.AsyncClient(headers=HEADERS, trust_env=False, timeout=60) as http:
        for _ in range(times):
            known = len(await _hung_up(http, model_url))
            body = {**order(WORDS, RATE), "stream": False}
            run = (await http.post(f"{runs_at}/v1/threads/runs", json=body)).json()
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}"
            await anext(read_tokens(f"{runs_at}{path}/events", KEY))
            asked = time.time()
            (await http.post(f"{cancelled_at}{path}/cancel", json={})).raise_for_status()
            taken.append(await _next_hung_up(http, model_url, known) - asked)
    return taken


async def _hung_up(http: httpx2.AsyncClient, model_url: str) -> list[float]:
    times: list[float] = (await http.get(f"{model_url}/hung_up")).json()
    return times


async def _next_hung_up(http: httpx2.AsyncClient, model_url: str, known: int) -> float:
    while True:
        times = await _hung_up(http, model_url)
        if len(times) > known:
            return times[-1]
        await asyncio.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main()
