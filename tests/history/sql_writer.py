"""Programs that write to an SQL history: until they are killed, or forked in the middle of it."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.sql_log import SQLLog, log_at

PARTS = "qa"  # what is added in one go


def entries(writer: str, number: int) -> list[Entry]:
    """A question and its answer; the same writer and number make the same."""
    names = [f"{writer} {number} {part}" for part in PARTS]
    return [Entry(name, name, f"text of {name}") for name in names]


def check_written(bodies: Sequence[str], expected: dict[str, int], *, more: int = 0) -> None:
    """Every writer's numbers are there once and in order, up to the expected one.

    `more` of the following may be there too: written, and killed before it could be said.
    """
    assert len(bodies) == len(set(bodies))
    for writer, count in expected.items():
        mine = [body for body in bodies if body.startswith(f"{writer} ")]
        written = len(mine) // len(PARTS)
        assert count <= written <= count + more
        assert mine == [
            entry.body for number in range(written) for entry in entries(writer, number)
        ]
    # What was added in one go stays together.
    assert all(
        after == before[:-1] + "a" for before, after in pairwise(bodies) if before[-1] == "q"
    )


def write(log: SQLLog, writer: str, numbers: Iterator[int] | range) -> None:
    """Add what belongs to the numbers, and say each that has been taken."""
    for number in numbers:
        log.append(entries(writer, number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def fork_and_write(url: str, count: int) -> None:
    """Write from two threads, and from three children that were forked while they did so."""
    log = log_at(url, "forks")
    log.append(entries("first", 0))
    threads = [
        threading.Thread(target=write, args=(log, f"thread{number}", range(count)))
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    children = [_forked(log, f"child{number}", count) for number in range(3)]
    for thread in threads:
        thread.join()
    log.close()  # the last one of this process: the children's are not its own
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def _forked(log: SQLLog, writer: str, count: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        write(log, writer, range(count))
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "fork":
        fork_and_write(sys.argv[2], int(sys.argv[3]))
    else:
        url, writer, first, end = sys.argv[1:]
        log = log_at(url, "writers")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()  # several begin together
        write(log, writer, range(int(first), int(end)))
