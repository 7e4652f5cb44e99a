"""How many answers one process streams at a time, and what their tokens wait for.

Run with `python -m tests.bench.streams`. Limit: p95 of 200 ms from the model server's token to the
client for 200 answers at 20 tokens a second. Model server and client are processes of their own
that take little of the two cores; every token carries the time it was sent.
"""

import argparse
import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench.fast_client import Token, order, read_tokens, while_all_go_on
from tests.bench.fast_model import fast_model_process
from tests.bench.figures import NEVER, milliseconds, progress, show, spread
from tests.bench.processor_time import processor_seconds
from tests.start_process import Site, free_port

KEY = "key-of-the-benchmark"
LIMIT_P95 = 0.200  # seconds
RATE = 20.0  # tokens a second
STARTS = 10.0  # runs a second: making one takes as long as passing on dozens of tokens

LATE = 1.3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 100, 200, 300])
    parser.add_argument("--seconds", type=float, default=10.0, help="with all of them at once")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        model_url = stack.enter_context(fast_model_process(free_port()))
        most = {"MAX_RUNS": "10000", "MAX_RUNS_PER_USER": "10000"}
        site = Site.at(Path(folder), OPENAI_BASE_URL=model_url, ASSISTANT_API_KEY=KEY, **most)
        pid = stack.enter_context(site.started()).process.pid
        asyncio.run(measure(site.url, 5, 1.0))
        for streams in given.streams:
            progress(f"{streams} streams ...")
            before = processor_seconds(pid)
            tokens = asyncio.run(measure(site.url, streams, given.seconds))
            taken = processor_seconds(pid) - before
            delays = [token.delay for token in tokens] or [NEVER]
            rows.append([str(streams), str(len(tokens)), *spread(delays), f"{taken:.1f} s"])
    show(
        f"Tokens of answers at {RATE:g} a second (limit: p95 {milliseconds(LIMIT_P95)} for 200)",
        ["answers", "tokens", "p50", "p95", "max", "processor time"],
        rows,
    )


async def measure(url: str, streams: int, seconds: float) -> list[Token]:
    """Return the tokens that were sent while all of so many answers were under way."""
    starting = streams / STARTS
    # Longer than planned, where the last ones have to wait for the others.
    count = round(RATE * (starting * LATE + seconds))

    async def one(number: int) -> list[Token]:
        await asyncio.sleep(number / STARTS)
        reading = read_tokens(f"{url}/v1/threads/runs", KEY, order(count, RATE))
        tokens = [token async for token in reading]
        assert len(tokens) == count, f"{len(tokens)} of {count} tokens"
        return tokens

    each = await asyncio.gather(*map(one, range(streams)))
    return [token for tokens in while_all_go_on(each) for token in tokens]


if __name__ == "__main__":
    main()
