"""The processor time our server takes for each token it passes on and stores, beside a bare relay.

Run with `python -m tests.bench.delta_cost`. Limit: 0.25 ms a token, SQLite. The relay only reads
the model server's tokens and writes them as events; ours numbers, folds, stores and publishes them
as well. What the server takes while nothing happens is measured before and left out.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fast_client import order, read_tokens
from tests.bench.fast_model import fast_model_process
from tests.bench.figures import progress, show
from tests.bench.processor_time import processor_seconds
from tests.bench.relay import relay_process
from tests.start_process import Site, free_port

KEY = "key-of-the-benchmark"
LIMIT = 0.25  # milliseconds a token
IDLE_SECONDS = 5.0
SETTLE_SECONDS = 0.5  # until what a run leaves to do is done
RATE = 100.0
# Tokens in a run, and such runs one after the other.
LENGTHS = {"one run of 2,000": (2_000, 1), "ten runs of 200": (200, 10)}


@dataclass
class Peer:
    """Something that passes tokens on, and what it takes while it has nothing to do."""

    name: str
    url: str
    pid: int
    idle: float = 0.0  # processor seconds a second

    def rest(self) -> None:
        """See what it takes while nothing happens."""
        before = processor_seconds(self.pid)
        time.sleep(IDLE_SECONDS)
        self.idle = (processor_seconds(self.pid) - before) / IDLE_SECONDS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=RATE, help="tokens a second")
    rate = parser.parse_args().rate
    rows = []
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as peers:
        for peer in peers:
            progress(f"{peer.name}: warming up, then idle ...")
            asyncio.run(follow(peer, 200, None))
            time.sleep(SETTLE_SECONDS)
            peer.rest()
        for name, (tokens, runs) in LENGTHS.items():
            for peer in peers:
                progress(f"{peer.name}: {name} ...")
                taken = measure(peer, tokens, runs, rate)
                idle = f"{peer.idle * 1000:.1f} ms/s"
                rows.append([name, peer.name, f"{taken / tokens / runs * 1000:.3f} ms", idle])
    show(
        f"Processor time a token, {rate:g} tokens a second (limit: {LIMIT} ms)",
        ["answers", "passed on by", "a token", "taken idle"],
        rows,
    )


@contextmanager
def served(folder: Path) -> Iterator[list[Peer]]:
    """Start the model server, our site and the relay."""
    with ExitStack() as stack:
        model_url = stack.enter_context(fast_model_process(free_port()))
        site = Site.at(folder, OPENAI_BASE_URL=model_url, ASSISTANT_API_KEY=KEY)
        ours = stack.enter_context(site.started())
        port = free_port()
        relay = stack.enter_context(relay_process(port, model_url))
        yield [
            Peer("a bare relay", f"http://127.0.0.1:{port}", relay),
            Peer("our server", site.url, ours.process.pid),
        ]


def measure(peer: Peer, tokens: int, runs: int, rate: float) -> float:
    """Return the processor seconds taken by so many runs one after the other."""
    began, before = time.monotonic(), processor_seconds(peer.pid)
    for _ in range(runs):
        asyncio.run(follow(peer, tokens, rate))
    time.sleep(SETTLE_SECONDS)
    taken = processor_seconds(peer.pid) - before
    return taken - peer.idle * (time.monotonic() - began)


async def follow(peer: Peer, tokens: int, rate: float | None) -> None:
    """Have one run made and read it to its end."""
    url = f"{peer.url}/v1/threads/runs"
    seen = [token async for token in read_tokens(url, KEY, order(tokens, rate))]
    assert len(seen) == tokens, f"{len(seen)} of {tokens} tokens"


if __name__ == "__main__":
    main()
