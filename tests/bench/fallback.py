"""How soon a second model answers when the first one's server refuses the connection.

Run with `python -m tests.bench.fallback`. Limit: 1 s from the creation of a run to its first token.
Every site is started anew and asked several times: its first run finds out that nobody listens, the
others know. Beside it, a site whose first model answers.
"""

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import openai

from tests.bench.figures import milliseconds, progress, show, spread
from tests.bench.first_token import KEY, Run
from tests.start_process import Site, free_port
from tests.upstream import model_process

LIMIT = 1.0  # seconds
RUNS = 10  # of each site


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore", "The Assistants API is deprecated", DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=8)
    starts = parser.parse_args().starts
    direct: list[list[float]] = []
    refused: list[list[float]] = []
    with model_process(free_port()) as model:
        for number in range(starts):
            progress(f"start {number + 1} of {starts} ...")
            direct.append(measured({"OPENAI_BASE_URL": model}))
            away = f"http://127.0.0.1:{free_port()}/v1"
            second = {"FALLBACK_MODELS": f"scripted@{model}"}
            refused.append(measured({"OPENAI_BASE_URL": away, "OPENAI_MODEL": "away", **second}))
    show(
        f"From a run's creation to its first token (limit: {milliseconds(LIMIT)})",
        ["the first model's server", "p50", "p95", "max"],
        [
            ["answers, first run of a site", *spread([runs[0] for runs in direct])],
            ["refuses, first run of a site", *spread([runs[0] for runs in refused])],
            ["answers, later runs", *spread(later(direct))],
            ["refuses, later runs", *spread(later(refused))],
        ],
    )


def later(sites: Sequence[Sequence[float]]) -> list[float]:
    """What all but the first run of each site took."""
    return [seconds for runs in sites for seconds in runs[1:]]


def measured(settings: dict[str, str]) -> list[float]:
    """Return the seconds until the first token of each run of a new site."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        site = Site.at(Path(folder), ASSISTANT_API_KEY=KEY, **settings)
        stack.enter_context(site.started())
        client = openai.OpenAI(base_url=f"{site.url}/v1", api_key=KEY, max_retries=0)
        stack.enter_context(client)
        run = Run(client, 1)
        return [run() for _ in range(RUNS)]


if __name__ == "__main__":
    main()
