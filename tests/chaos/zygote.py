"""Processes of a site that start in no time: forked from one that has imported everything.

A process of the product takes most of a second to import what it needs. Tests that kill hundreds
of them let this module, as a process of its own (`python -m tests.chaos.zygote`), import it once;
each line it reads is an order for a fork.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from tests.start_process import ROOT, free_port

LONGEST_START = 60.0  # seconds; generous, for machines that do other work as well
LONGEST_END = 30.0
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass
class SiteProcess:
    """One process of a site. Whoever started it kills it in the end."""

    pid: int
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def is_healthy(self) -> bool:
        """Whether it answers, and means to go on doing so."""
        asking = HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_START)
        try:
            asking.request("GET", "/healthz")
            return asking.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            asking.close()

    def wait_until_healthy(self) -> None:
        """Return once it answers."""
        deadline = time.monotonic() + LONGEST_START
        while not self.is_healthy:
            assert psutil.pid_exists(self.pid), f"it has ended\n{self.complaints}"
            assert time.monotonic() < deadline, f"it does not answer\n{self.complaints}"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self.send(signal.SIGKILL)
        self.wait_until_ended()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; it may have ended already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait_until_ended(self) -> None:
        """Return once it is gone."""
        with suppress(psutil.NoSuchProcess):
            psutil.Process(self.pid).wait(LONGEST_END)

    @property
    def complaints(self) -> str:
        """What it has written into its log."""
        return self.log.read_text(encoding="utf-8")


class Zygote:
    """Starts processes of sites."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._started: list[SiteProcess] = []

    def start(
        self, settings: Mapping[str, Any], pace: Mapping[str, float], log: Path, port: int = 0
    ) -> SiteProcess:
        """Start a process of a site and return it, listening soon."""
        port = port or free_port()
        order = {"settings": {**settings}, "pace": {**pace}, "log": str(log), "port": port}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        started = SiteProcess(int(self._process.stdout.readline()), port, log)
        self._started.append(started)
        return started

    def kill_all(self) -> None:
        """End what still runs."""
        for process in self._started:
            process.send(signal.SIGCONT)
            process.kill()
        self._started.clear()


@contextmanager
def zygote() -> Iterator[Zygote]:
    """A zygote for as long as the block lasts; no process outlives it."""
    command = [sys.executable, "-m", "tests.chaos.zygote"]
    # One thread only: what another thread holds at the moment of a fork stays locked for ever.
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        made = Zygote(process)
        try:
            yield made
        finally:
            made.kill_all()
            process.kill()


def hatch(serve: Callable[[Mapping[str, Any], socket.socket], None]) -> None:
    """Fork a process for every line read, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for their exit codes
    for line in sys.stdin:
        order = json.loads(line)
        # Listening before the order is answered: nobody is refused while the process starts.
        with _listening(order["port"]) as sock:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _be_on_ones_own(Path(order["log"]))
                serve(order, sock)
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _listening(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(1024)
    return sock


def _be_on_ones_own(log: Path) -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for given, wanted in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(given, wanted)


if __name__ == "__main__":
    # The product is what takes long to import: only this process needs it.
    from tests.chaos.site_process import serve_site

    hatch(serve_site)
