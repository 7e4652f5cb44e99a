"""What the polling helpers of OpenAI's Python client lose: from a run's end until they return.

Run with `python -m tests.bench.polling`. Limit: 150 ms on short runs. The model server answers for
as long as it is told; when it sent its last token is known from the server itself, and the time the
helper returns is taken in this process. Between them lies the run's own end as well.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import openai

from tests.bench.figures import milliseconds, progress, show, spread
from tests.start_process import Site, free_port
from tests.upstream import model_process

KEY = "key-of-the-benchmark"
ASSISTANT = "asst_default"
LIMIT = 0.150  # seconds
LENGTHS = (0.0, 0.3, 0.8, 1.5, 3.0, 8.0)  # seconds that the model takes to answer
RATE = 20.0  # tokens a second


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore", "The Assistants API is deprecated", DeprecationWarning)
    warnings.filterwarnings("ignore", "deprecated$", DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (client, model):
        rows = []
        for seconds in LENGTHS:
            progress(f"runs of {seconds} seconds ...")
            lost = [lost_seconds(client, model, seconds, number) for number in range(times)]
            rows.append([f"{seconds} s", *spread(lost)])
    show(
        f"Lost by create_and_poll, {times} times each (limit: {milliseconds(LIMIT)} on short runs)",
        ["the model takes", "p50", "p95", "max"],
        rows,
    )


@contextmanager
def served(folder: Path) -> Iterator[tuple[openai.OpenAI, httpx.Client]]:
    """Start the model server and our site; give a client of each."""
    with ExitStack() as stack:
        base_url = stack.enter_context(model_process(free_port()))
        site = Site.at(folder, OPENAI_BASE_URL=base_url, ASSISTANT_API_KEY=KEY)
        stack.enter_context(site.started())
        client = openai.OpenAI(base_url=f"{site.url}/v1", api_key=KEY, max_retries=0)
        model = httpx.Client(base_url=base_url.removesuffix("/v1"), trust_env=False)
        yield stack.enter_context(client), stack.enter_context(model)


def lost_seconds(client: openai.OpenAI, model: httpx.Client, seconds: float, number: int) -> float:
    """Return how long after the model's last token the helper came back."""
    # Not all of the same length, or every poll would come at the same place.
    tokens = max(round(seconds * RATE) + number % 3, 1)
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": f"count to {tokens} at {RATE:g} per second"}]
    )
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=ASSISTANT)
    returned = time.time()
    assert run.status == "completed", run.status
    sent: list[list[float]] = model.get("/_sent").json()
    return returned - sent[-1][-1]


if __name__ == "__main__":
    main()
