"""The product as a process of its own, the way people and service managers run it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
START = (sys.executable, "-m", "main")
LONGEST_START = 60  # seconds; generous, for machines that do other work as well
LONGEST_END = 20


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """One installation: its folder, its environment, its port."""

    folder: Path
    environ: dict[str, str]
    port: int

    @classmethod
    def at(cls, folder: Path, **settings: str) -> "Site":
        """A site that knows of no other settings than these, whoever runs the tests."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environ = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder),
            "DATA_DIR": str(folder / "data"),
            **settings,
        }
        return cls(folder, environ, free_port())

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "") -> httpx.Client:
        """Another program, with this key."""
        bearer = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=bearer, timeout=60, trust_env=False)

    @property
    def output(self) -> str:
        """What the last process of this site has printed so far."""
        return (self.folder / "output.txt").read_text(encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`start` with these arguments, until it ends by itself."""
        return subprocess.run(
            [*START, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST_START,
            check=False,
        )

    @contextmanager
    def started(
        self, command: Sequence[str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Iterator["Started"]:
        """A process that serves the site; what still runs at the end is killed."""
        with (self.folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                command or [*START, "--port", str(self.port)],
                cwd=self.folder,
                env={**self.environ, **(environ or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_healthy(process)
            yield Started(process, self)
        finally:
            process.kill()
            process.wait()

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + LONGEST_START
        with self.client() as client:
            while time.monotonic() < deadline:
                assert process.poll() is None, self.output
                try:
                    if client.get("/healthz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass  # not listening yet
                time.sleep(0.02)
        raise AssertionError(f"no answer; {self.output}")


@dataclass
class Started:
    """A running process of a site."""

    process: subprocess.Popen[bytes]
    site: Site

    def end(self, *signals: signal.Signals) -> int:
        """Send the signals, by default the one service managers send; return the exit code."""
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
        return self.process.wait(LONGEST_END)


def wait_until_closed(port: int) -> None:
    """Return when nobody listens on the port any more."""
    deadline = time.monotonic() + LONGEST_END
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("the process still listens")
