"""What a page deep in a long thread costs, next to the first.

Run with `python -m tests.bench.listing`. Limit: 1.3 times the first page in the median. Pages are
asked for in turns, so that whatever else the machine does meets all of them.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx

from streamlit_assistant.store import Store, sqlite_url
from tests.bench.figures import progress, show, spread
from tests.factories import make_message, make_thread
from tests.start_process import Site

KEY = "key-of-the-benchmark"
MESSAGES = 10_000
PAGE = 100  # messages, so that the hundredth page is the last
LIMIT = 1.3
WARM_UPS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        progress(f"writing {MESSAGES} messages ...")
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        thread_id = asyncio.run(fill(data))
        site = Site.at(Path(folder), ASSISTANT_API_KEY=KEY)
        with site.started(), site.client(KEY) as http:
            thread = Thread(http, thread_id)
            pages = {
                (order, number): thread.cursor_of_page(order, number)
                for order in ("desc", "asc")
                for number in (1, 50, 100)
            }
            measured: dict[tuple[str, int], list[float]] = {page: [] for page in pages}
            for round_number in range(-WARM_UPS, times):
                for page, after in pages.items():
                    seconds = thread.seconds_for(page[0], after)
                    if round_number >= 0:
                        measured[page].append(seconds)
    show(
        f"Pages of {PAGE} from {MESSAGES:,} messages, {times} times each (limit: {LIMIT} times)",
        ["page", "p50", "p95", "max", "of the first"],
        [
            [
                f"{order}, page {number}",
                *spread(seconds),
                f"{median(seconds) / median(measured[order, 1]):.2f}",
            ]
            for (order, number), seconds in measured.items()
        ],
    )


async def fill(data: Path) -> str:
    """Write one long thread into a site's data folder; return the thread's id."""
    store = Store(sqlite_url(data / "assistant.db"), time.time)
    await store.open()
    thread = make_thread()
    texts = (f"Message {number}: " + "some words of a chat " * 10 for number in range(MESSAGES))
    await store.threads.add(thread, [make_message(thread.id, text) for text in texts])
    await store.close()
    return thread.id


class Thread:
    """The long thread, over HTTP."""

    def __init__(self, http: httpx.Client, thread_id: str) -> None:
        self._http = http
        self._path = f"/v1/threads/{thread_id}/messages"

    def cursor_of_page(self, order: str, number: int) -> str | None:
        """Return the id behind which the page begins."""
        after = None
        for _ in range(number - 1):
            after = self._page(order, after).json()["last_id"]
        return after

    def seconds_for(self, order: str, after: str | None) -> float:
        """Return how long a page takes."""
        began = time.perf_counter()
        answer = self._page(order, after)
        seconds = time.perf_counter() - began
        assert len(answer.json()["data"]) == PAGE
        return seconds

    def _page(self, order: str, after: str | None) -> httpx.Response:
        cursor = {} if after is None else {"after": after}
        answer = self._http.get(self._path, params={"order": order, "limit": PAGE, **cursor})
        return answer.raise_for_status()


if __name__ == "__main__":
    main()
