"""What a follower waits for when another process executes the run: over PostgreSQL, and SQLite.

Run with `python -m tests.bench.neighbours`. Limit: 50 ms more than a follower in the process that
executes it, PostgreSQL. Both follow the same runs and sit in one process, so that their clocks are
one. The rate is such that each token is stored and told by itself.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.bench.fast_client import Token, order, read_tokens, while_all_go_on
from tests.bench.fast_model import fast_model_process
from tests.bench.figures import milliseconds, progress, show, spread
from tests.postgres import postgres_server
from tests.start_process import Site, free_port

KEY = "key-of-the-benchmark"
LIMIT = 0.050  # seconds
RATE = 20.0  # tokens a second
STARTS = 10.0  # runs a second
HEADERS = {"Authorization": f"Bearer {KEY}"}


@dataclass(frozen=True)
class Pair:
    """Where two processes of a site are, and their model server."""

    urls: Sequence[str]
    model_url: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 10, 30], help="at a time")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long an answer takes")
    given = parser.parse_args()
    rows = []
    for database in ("PostgreSQL", "SQLite"):
        with tempfile.TemporaryDirectory() as folder, pair(database, Path(folder)) as site:
            asyncio.run(measure(site.urls, 1, 1.0))
            for runs in given.runs:
                progress(f"{database}: {runs} runs ...")
                here, there = asyncio.run(measure(site.urls, runs, given.seconds))
                later = [b.came - a.came for a, b in zip(here, there, strict=True)]
                rows.append([database, str(runs), *spread([t.delay for t in here]), *spread(later)])
    show(
        f"A follower in another process (limit: {milliseconds(LIMIT)} later, PostgreSQL)",
        ["database", "runs", "p50 here", "p95", "max", "p50 later there", "p95", "max"],
        rows,
    )


@contextmanager
def pair(database: str, folder: Path) -> Iterator[Pair]:
    """Two processes of a site, and their model server."""
    with ExitStack() as stack:
        model_url = stack.enter_context(fast_model_process(free_port()))
        given = {"ASSISTANT_API_KEY": KEY, "OPENAI_BASE_URL": model_url}
        homes = [folder, folder]
        if database == "PostgreSQL":
            server = stack.enter_context(postgres_server(careless=False))
            given["DATABASE_URL"] = server.new_database()
            homes = [folder / "one", folder / "two"]
        sites = []
        for home in homes:
            home.mkdir(exist_ok=True)
            sites.append(Site.at(home, **given))
            stack.enter_context(sites[-1].started())
        yield Pair([site.url for site in sites], model_url)


async def measure(
    urls: Sequence[str], runs: int, seconds: float
) -> tuple[list[Token], list[Token]]:
    """Return the tokens of runs at the process that executes them and at the other."""
    count = round(RATE * (runs / STARTS + seconds))
    async with httpx2.AsyncClient(headers=HEADERS, trust_env=False, timeout=60) as http:

        async def one(number: int) -> tuple[list[Token], list[Token]]:
            await asyncio.sleep(number / STARTS)
            body = {**order(count, RATE), "stream": False}
            run = (await http.post(f"{urls[0]}/v1/threads/runs", json=body)).json()
            path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/events"
            here, there = await asyncio.gather(*(_tokens(url + path) for url in urls))
            assert len(here) == len(there) == count, (len(here), len(there))
            return here, there

        each = await asyncio.gather(*map(one, range(runs)))
    here, there = (while_all_go_on([pair[place] for pair in each]) for place in (0, 1))
    return [t for tokens in here for t in tokens], [t for tokens in there for t in tokens]


async def _tokens(url: str) -> list[Token]:
    return [token async for token in read_tokens(url, KEY)]


if __name__ == "__main__":
    main()
