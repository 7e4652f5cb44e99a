"""A throw-away store that speaks S3: S3Proxy over a folder. It refuses wrong signatures."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from tests.start_process import free_port

VERSION = "2.6.0"
PROGRAMS = ("java", "mvn")
INSTALL = "apt-get install default-jre-headless maven"
LONGEST_DOWNLOAD = 600  # seconds
LONGEST_START = 60.0  # seconds
JAVA = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
POM = f"""
    <project xmlns="http://maven.apache.org/POM/4.0.0">
      <modelVersion>4.0.0</modelVersion>
      <groupId>tests</groupId><artifactId>store</artifactId><version>1</version>
      <dependencies>
        <dependency>
          <groupId>org.gaul</groupId><artifactId>s3proxy</artifactId>
          <version>{VERSION}</version>
        </dependency>
      </dependencies>
    </project>
"""
QUIET = '<configuration><root level="OFF"/></configuration>'
KEY_ID, KEY = "archive-key", "archive/secret+of=tests"


class NoServer(Exception):
    """There is no such server to be had on this machine; the text says what to install."""


def jars() -> Path:
    """The folder with the server's jars, fetched from Maven Central by the first who needs it."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise NoServer(f"{' and '.join(missing)} is missing: {INSTALL}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamlit-assistant"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"s3proxy-{VERSION}"
    with (cache / "s3proxy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    # Whole or not at all: a folder that is there is taken for complete.
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (Path(work) / "pom.xml").write_text(dedent(POM).strip(), encoding="utf-8")
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"],
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_DOWNLOAD,
            check=False,
        )
        if done.returncode != 0:
            raise NoServer(f"Maven could not fetch S3Proxy: {done.stdout[-500:]}")
        (Path(work) / "jars").rename(folder)


class S3Server:
    """One store. What it holds stays while it is stopped and started again."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environ(self) -> dict[str, str]:
        """What tells programs how to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": KEY,
        }

    def new_bucket(self, name: str) -> Path:
        """Make a bucket; return the folder with its objects."""
        bucket = self._folder / "buckets" / name
        bucket.mkdir(parents=True)
        return bucket

    def start(self) -> None:
        """Start it; it answers when this returns."""
        (self._folder / "buckets").mkdir(exist_ok=True)
        (self._folder / "logback.xml").write_text(QUIET, encoding="utf-8")
        options = {
            "s3proxy.endpoint": self.endpoint,
            "s3proxy.authorization": "aws-v4",
            "s3proxy.identity": KEY_ID,
            "s3proxy.credential": KEY,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.identity": "unused",
            "jclouds.credential": "unused",
            "jclouds.filesystem.basedir": str(self._folder / "buckets"),
        }
        text = "".join(f"{name}={value}\n" for name, value in options.items())
        (self._folder / "server.properties").write_text(text, encoding="utf-8")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("java", *JAVA, f"-Dlogback.configurationFile={self._folder}/logback.xml"),
                    *("-cp", f"{self._programs}/*", "org.gaul.s3proxy.Main"),
                    *("--properties", str(self._folder / "server.properties")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests, which then stop it themselves.
                start_new_session=True,
            )
        self._wait_until_it_listens(self._process)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + LONGEST_START
        while True:
            assert process.poll() is None, (self._folder / "log").read_text(encoding="utf-8")
            try:
                return socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, "the store did not start"
                time.sleep(0.05)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A store for as long as the block lasts; raises `NoServer` where there is none to be had."""
    programs = jars()
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(Path(folder), programs)
        try:
            server.start()
            yield server
        finally:
            server.stop()
