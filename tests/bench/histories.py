"""What chat histories cost beside LangChain's class for the same store.

Run with `python -m tests.bench.histories`. Limits: nowhere slower; three times as fast where 10,000
messages are loaded from Kafka and where a history is opened. Each figure is a median; both sides
take turns, so that whatever else the machine does meets both. LangChain's class for Kafka gets its
best case: it is told how many messages there are, and the broker lets it in at once.

`open` is to make a history of ten messages and read them in a program that has others open, whose
connections ours share; `open first`, in one that has none. Nothing else includes connecting. For
Kafka, `again` is a second look: ours keeps what it has read and asks for what is new.
"""

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from tests.bench.figures import progress, show
from tests.bench.histories_sides import Side
from tests.bench.histories_stores import STORES, Versus

SIZES = (10, 1_000, 10_000)
FEW, OPENED = 10, "open"  # messages of a history that is opened, and its name
WORD, EVERY = "zebra", 100
TEXT = "What people say in a chat is often about as long as this. " * 3
FOUND = 10
LONGEST_SERIES = 3.0  # seconds for the repetitions of one figure


@dataclass(frozen=True)
class Row:
    """One figure of a store, and of LangChain's class for it where there is one."""

    store: str
    size: int
    what: str
    theirs: float | None  # seconds
    ours: float

    @property
    def ratio(self) -> float | None:
        """How many times as fast ours is."""
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def cells(self) -> list[str]:
        """What is shown of it."""
        times = ["" if each is None else fine(each) for each in (self.theirs, self.ours)]
        ratio = "" if self.ratio is None else f"{self.ratio:.{1 if self.ratio >= 1 else 3}f}"
        return [self.store, self.what, f"{self.size:,}", *times, ratio]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    given = parser.parse_args()
    # LangChain's classes say that they are going away.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rows: list[Row] = []
    for store in given.stores:
        with STORES[store]() as versus:
            versus.within(partial(measure, versus, given.sizes, rows))
            for side in versus.sides:
                side.let_go()
    head = ["store", "", "messages", "LangChain's", "ours", "ratio"]
    show("Histories, medians", head, [row.cells for row in rows])
    slower = [row for row in rows if row.ratio is not None and row.ratio < 1]
    print(f"\n  slower than LangChain's: {len(slower) or 'none'}")
    for row in slower:
        print(f"    {row.store}, {row.size:,} messages, {row.what}: {row.ratio:.3f}")


def measure(versus: Versus, sizes: Sequence[int], rows: list[Row]) -> None:
    """Add the figures of a store."""
    progress(f"{versus.title}: opening ...")
    for side in versus.sides:
        side.fill(OPENED, made(FEW))
    rows.append(row(versus, FEW, "open first", first_opened))
    rows.append(row(versus, FEW, "open", opened))
    for size in sizes:
        progress(f"{versus.title}: {size:,} messages ...")
        rows += rows_of(versus, f"of-{size}", size)


def rows_of(versus: Versus, session_id: str, size: int) -> list[Row]:
    """Measure a session of that many messages."""
    messages = made(size)
    for side in versus.sides:
        side.fill(session_id, messages)
    rows = [
        row(versus, size, "load all", lambda side: loaded(side, side.ready(session_id), size)),
        row(versus, size, "search", lambda side: found(side, side.ready(session_id), size)),
    ]
    if versus.ours.keeps:
        rows += [
            row(versus, size, "load again", lambda side: loaded(side, side.kept(session_id), size)),
            row(
                versus, size, "search again", lambda side: found(side, side.kept(session_id), size)
            ),
        ]
    return [row(versus, size, "append one", lambda side: appended(side, session_id)), *rows]


def row(versus: Versus, size: int, what: str, once: Callable[[Side], float]) -> Row:
    """Let both sides do it in turns."""
    seconds: dict[Side, list[float]] = {side: [] for side in versus.sides}
    for side in versus.sides:
        once(side)  # a first time that does not count
    began = time.perf_counter()
    while len(seconds[versus.ours]) < versus.ours.most_times:
        for side, times in seconds.items():
            times.append(once(side))
        if time.perf_counter() - began > LONGEST_SERIES:
            break
    theirs = None if versus.theirs is None else median(seconds[versus.theirs])
    return Row(versus.title, size, what, theirs, median(seconds[versus.ours]))


def loaded(side: Side, history: Any, size: int) -> float:
    """Return how long it takes to read all messages."""
    began = time.perf_counter()
    messages = side.load(history, size)
    seconds = time.perf_counter() - began
    assert len(messages) == size, (side.name, len(messages))
    return seconds


def found(side: Side, history: Any, size: int) -> float:
    """Return how long it takes to find the newest messages with a word."""
    began = time.perf_counter()
    hits = side.search(history, WORD, FOUND, size)
    seconds = time.perf_counter() - began
    assert len(hits) == min(max(size // EVERY, 1), FOUND), (side.name, len(hits))
    return seconds


def appended(side: Side, session_id: str) -> float:
    """Return how long it takes to add a message."""
    history = side.kept(session_id)
    message = HumanMessage(TEXT)
    began = time.perf_counter()
    history.add_messages([message])
    return time.perf_counter() - began


def first_opened(side: Side) -> float:
    """Return how long it takes from nothing to the messages of a history."""
    return _opened(side, side.stranger(OPENED))


def opened(side: Side) -> float:
    """Return how long it takes to the messages of another history."""
    return _opened(side, side.opener(OPENED))


def _opened(side: Side, opener: Callable[[], Any]) -> float:
    began = time.perf_counter()
    history = opener()
    messages = side.load(history, FEW)
    seconds = time.perf_counter() - began
    assert len(messages) == FEW, (side.name, len(messages))
    side.end(history)
    return seconds


def made(size: int) -> list[BaseMessage]:
    """Return messages of about 200 characters; one in a hundred has the word that is sought."""
    kinds: tuple[Any, Any] = (HumanMessage, AIMessage)
    return [
        kinds[number % 2](f"{number} {WORD if number % EVERY == 7 else 'nothing'} {TEXT}")
        for number in range(size)
    ]


def fine(seconds: float) -> str:
    """A time to be read by people, of which some are very short."""
    return f"{seconds * 1000:,.{1 if seconds >= 0.01 else 3}f} ms"


if __name__ == "__main__":
    main()
