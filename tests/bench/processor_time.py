"""The time that a process has kept processors busy, to the microsecond."""

from pathlib import Path

NANOSECONDS = 1e9


def processor_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process so far."""
    # Finer than what psutil reads, which counts in hundredths of a second.
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / NANOSECONDS
