"""How many short runs a second 1, 2 and 4 processes on one PostgreSQL carry.

Run with `python -m tests.bench.processes`. No limit: two cores are shared by the processes, the
database and the clients, so that the figure says what more processes cost rather than what they
bring. The database writes to the disk as in earnest; the offline assistant answers at once.
"""

import argparse
import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import progress, show, spread
from tests.bench.throughput import KEY, measure
from tests.postgres import postgres_server
from tests.start_process import Site


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    rows = []
    for processes in given.processes:
        progress(f"{processes} processes ...")
        runs, seconds = measured(processes, given.clients, given.seconds)
        rows.append([str(processes), str(len(runs)), f"{len(runs) / seconds:.1f}", *spread(runs)])
    show(
        f"Runs on one PostgreSQL, {given.clients} clients",
        ["processes", "runs", "a second", "p50", "p95", "max"],
        rows,
    )


def measured(processes: int, clients: int, seconds: float) -> tuple[list[float], float]:
    """Return how long each run took, and all of them together."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        database = stack.enter_context(postgres_server(careless=False)).new_database()
        urls = []
        for number in range(processes):
            home = Path(folder) / f"machine{number}"
            home.mkdir()
            site = Site.at(home, ASSISTANT_API_KEY=KEY, DATABASE_URL=database)
            stack.enter_context(site.started())
            urls.append(site.url)
        asyncio.run(measure(urls, clients, 2.0))
        return asyncio.run(measure(urls, clients, seconds))


if __name__ == "__main__":
    main()
