"""What the benchmarks share: figures and how they are shown."""

import math
import os
import sys
from collections.abc import Sequence
from statistics import median

NEVER = math.inf


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of all do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def spread(seconds: Sequence[float]) -> tuple[str, str, str]:
    """Half, nearly all and all of the measured times stay below these."""
    return (
        milliseconds(median(seconds)),
        milliseconds(percentile(seconds, 95)),
        milliseconds(max(seconds)),
    )


def milliseconds(seconds: float) -> str:
    """A time to be read by people."""
    return "never" if seconds == NEVER else f"{seconds * 1000:,.1f} ms"


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}")
    for row in (head, ["-" * width for width in widths], *rows):
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        print("  " + "  ".join(cells).rstrip())
    # Figures of a machine that had other work to do are worth little.
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"  ({os.cpu_count()} cores, load of the last 1, 5 and 15 minutes: {load})")


def progress(words: str) -> None:
    """Say what is being measured, apart from the result."""
    print(words, file=sys.stderr, flush=True)
