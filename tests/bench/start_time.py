"""How long a start takes, beside `streamlit hello`, and what the first message costs after it.

Run with `python -m tests.bench.start_time`. Limits: first healthy answer within 1.5 times the
peer's; the first message of a fresh process at most 200 ms slower than the second.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen

import openai
from playwright.sync_api import Browser

from tests.bench.figures import milliseconds, progress, show, spread
from tests.bench.observed_page import ObservedPage
from tests.bench.stock_streamlit import HEALTH, stock_streamlit
from tests.bench.waiting import wait_until_healthy
from tests.live.chromium import launched_chromium
from tests.start_process import START, Site, free_port
from tests.upstream import model_process

KEY = "key-of-the-benchmark"
ASSISTANT = "asst_default"
LIMIT_RATIO = 1.5
LIMIT_FIRST_MESSAGE = 0.200  # seconds
PROMPTS = ("Good morning", "And again")

Measured = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore", "The Assistants API is deprecated", DeprecationWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    with model_process(free_port()) as model_url, launched_chromium() as browser:
        starts = repeated(times, lambda folder: start_times(folder, model_url))
        messages = repeated(times, lambda folder: message_times(folder, model_url, browser))
    show_starts(starts, times)
    show_messages(messages, times)


def repeated(times: int, measure: Callable[[Path], dict[str, float]]) -> Measured:
    """Measure so often, each time in a folder of its own; a first round warms the disk up."""
    measured: Measured = {}
    for number in range(times + 1):
        progress(f"{'warming up' if number == 0 else f'round {number} of {times}'}")
        with tempfile.TemporaryDirectory() as folder:
            for name, seconds in measure(Path(folder)).items():
                if number:
                    measured.setdefault(name, []).append(seconds)
    return measured


def start_times(folder: Path, model_url: str) -> dict[str, float]:
    """Start everything once."""
    site = Site.at(folder, OPENAI_BASE_URL=model_url)
    return {
        "streamlit hello": stock_start_time(folder),
        "ours, on an empty folder": our_start_time(site),
        "ours, again": our_start_time(site),
    }


def stock_start_time(folder: Path) -> float:
    """Return the seconds from `streamlit hello` to its first healthy answer."""
    began = time.perf_counter()
    with stock_streamlit(folder, "hello") as (url, process):
        wait_until_healthy(f"{url}{HEALTH}", process)
        return time.perf_counter() - began


def our_start_time(site: Site) -> float:
    """Return the seconds from `start` to its first healthy answer."""
    began = time.perf_counter()
    with started(site) as process:
        wait_until_healthy(f"{site.url}{HEALTH}", process)
        return time.perf_counter() - began


@contextmanager
def started(site: Site) -> Iterator[Popen[bytes]]:
    """Run `start`, without waiting until it serves."""
    command = [*START, "--port", str(site.port)]
    with Popen(command, cwd=site.folder, env=site.environ, stdout=DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def message_times(folder: Path, model_url: str, browser: Browser) -> dict[str, float]:
    """Send the first two messages of a fresh process, through the API and then on the page."""
    site = Site.at(folder, OPENAI_BASE_URL=model_url, ASSISTANT_API_KEY=KEY)
    with site.started():
        by_api = [api_message_time(site, prompt) for prompt in PROMPTS]
    with site.started(), browser.new_context() as context:
        page = ObservedPage(context, site.url)
        on_page = [page_message_time(page, number) for number in (1, 2)]
    return {
        "API, first message": by_api[0],
        "API, second message": by_api[1],
        "page, first message": on_page[0],
        "page, second message": on_page[1],
    }


def api_message_time(site: Site, prompt: str) -> float:
    """Return the seconds from a message on a new thread to the end of its answer."""
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=KEY) as client:
        began = time.perf_counter()
        thread = client.beta.threads.create(messages=[{"role": "user", "content": prompt}])
        with client.beta.threads.runs.create(
            thread.id, assistant_id=ASSISTANT, stream=True
        ) as events:
            *_, last = events
        assert last.event == "thread.run.completed", last
        return time.perf_counter() - began


def page_message_time(page: ObservedPage, number: int) -> float:
    """Return the seconds from writing a message to the answer on the page."""
    began = time.time()
    page.ask(f"Count to {number}")  # so that each answer ends with a token not seen before
    took = page.token_times(number)[-1] - began
    page.wait_until_idle()
    return took


def show_starts(measured: Measured, times: int) -> None:
    """Print the starts beside the peer's."""
    base = median(measured["streamlit hello"])
    show(
        f"Start to first healthy answer, {times} times each (limit: {LIMIT_RATIO} times the peer)",
        ["started", "p50", "p95", "max", "times the peer"],
        [[name, *spread(took), f"{median(took) / base:.2f}"] for name, took in measured.items()],
    )


def show_messages(measured: Measured, times: int) -> None:
    """Print the first message beside the second."""
    show(
        f"First messages of a process, {times} times each "
        f"(limit: {milliseconds(LIMIT_FIRST_MESSAGE)} more than the second)",
        ["message", "p50", "p95", "max"],
        [[name, *spread(took)] for name, took in measured.items()],
    )


if __name__ == "__main__":
    main()
