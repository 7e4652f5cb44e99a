"""Which process this is, and whether another one on this machine still lives. Part of the floor.

A process number alone says nothing: it is used again. With the time at which its process began it
names one process, as long as both are seen from the same machine and the same container.
"""

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_STARTED = 19  # the place of `starttime` in /proc/PID/stat, counted behind the program's name


@dataclass(frozen=True)
class ProcessIdentity:
    """A process; `host` tells machines and containers apart."""

    host: str
    pid: int
    started: str  # as the system gives it; "" where it does not

    def is_known_gone(self) -> bool:
        """Whether it certainly lives no more; of other hosts nothing is known."""
        if self.host != _host() or not self.started:
            return False
        return _started(self.pid) != self.started


def this_process() -> ProcessIdentity:
    """Return the identity of the process that asks."""
    return ProcessIdentity(_host(), os.getpid(), _started(os.getpid()))


@cache
def _host() -> str:
    # Containers on one machine may share its name, but not how it counts processes.
    return f"{platform.node()}/{_boot_id()}/{_namespace()}"


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> str:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The name stands in brackets and may hold any character.
    fields = stat.rpartition(")")[2].split()
    is_dead = fields[0] in ("Z", "X")  # gone, but nobody has asked for its exit code
    return "" if is_dead else fields[_STARTED]
