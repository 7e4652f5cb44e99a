"""How long a token takes from the model server to the page, beside stock Streamlit.

Run with `python -m tests.bench.token_to_page`. Limit: p95 of 60 ms at 50 and at 250 tokens a
second. The model server notes when it sends each numbered token, an observer in the page when the
token is first there; both read the same machine's clock, the page to the millisecond.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product, zip_longest
from pathlib import Path

import httpx2
import psutil
from playwright.sync_api import Browser

from tests.bench.figures import NEVER, milliseconds, progress, show, spread
from tests.bench.observed_page import ObservedPage
from tests.bench.stock_streamlit import HEALTH, STOCK_PAGE, stock_streamlit
from tests.bench.waiting import wait_until_healthy
from tests.live.chromium import launched_chromium
from tests.start_process import Site, free_port
from tests.upstream import model_process

LIMIT_P95 = 0.060  # seconds
# What the scripted model is told; it repeats neither, so no page can show a token before its time.
ORDERS = {"plain": "Count", "markdown": "Count in markdown"}


@dataclass(frozen=True)
class Served:
    """A page and the process that serves it."""

    name: str
    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """The time the process has kept a core busy so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=3000)
    parser.add_argument("--kinds", choices=ORDERS, nargs="+", default=list(ORDERS))
    parser.add_argument("--rates", type=float, nargs="+", default=[50, 250])
    options = parser.parse_args()
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (model_url, pages),
        launched_chromium() as browser,
    ):
        for kind, rate, page in product(options.kinds, options.rates, pages):
            progress(f"{page.name}: {options.tokens} tokens, {kind}, at {rate:g} a second")
            order = f"{ORDERS[kind]} to {options.tokens} at {rate:g} per second"
            delays, cpu = measure(browser, page, model_url, order, options.tokens)
            last = milliseconds(delays[-1])
            rows.append([page.name, kind, f"{rate:g}/s", *spread(delays), last, f"{cpu:.1f} s"])
    show(
        f"Token to page, {options.tokens} tokens (limit: p95 {milliseconds(LIMIT_P95)})",
        ["page", "text", "rate", "p50", "p95", "max", "last token", "CPU of its server"],
        rows,
    )


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[Served]]]:
    """Start the model server, our site and the stock page."""
    with ExitStack() as stack:
        model_url = stack.enter_context(model_process(free_port()))
        site = Site.at(folder, OPENAI_BASE_URL=model_url)
        ours = stack.enter_context(site.started())
        stock = stock_streamlit(
            folder,
            *("run", str(STOCK_PAGE)),
            OPENAI_BASE_URL=model_url,
            OPENAI_API_KEY="none",
        )
        stock_url, process = stack.enter_context(stock)
        wait_until_healthy(f"{stock_url}{HEALTH}", process)
        yield (
            model_url,
            [
                Served("ours", site.url, psutil.Process(ours.process.pid)),
                Served("stock Streamlit", stock_url, psutil.Process(process.pid)),
            ],
        )


def measure(
    browser: Browser, served: Served, model_url: str, order: str, tokens: int
) -> tuple[list[float], float]:
    """Have a page answer twice, first to warm it up.

    Return each token's delay and the time its server kept a core busy, in seconds.
    """
    with browser.new_context() as context:
        page = ObservedPage(context, served.url)
        page.ask("Good morning")
        page.wait_for("Turn 1. You said: Good morning")
        page.wait_until_idle()
        busy_before = served.cpu_seconds()
        page.ask(order)
        seen = page.token_times(tokens)
        busy = served.cpu_seconds() - busy_before
    sent: list[float] = httpx2.get(model_url.replace("/v1", "/_sent")).json()[-1]
    return [there - left for there, left in zip_longest(seen, sent, fillvalue=NEVER)], busy


if __name__ == "__main__":
    main()
