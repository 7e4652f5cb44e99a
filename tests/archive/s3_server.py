"""A throw-away store that speaks S3: S3Proxy over a folder. It refuses wrong signatures."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.maven_jars import jars
from tests.start_process import free_port

VERSION = "2.6.0"
LONGEST_START = 60.0  # seconds
JAVA = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
ARTEFACTS = (("org.gaul", "s3proxy", VERSION),)
QUIET = '<configuration><root level="OFF"/></configuration>'
KEY_ID, KEY = "archive-key", "archive/secret+of=tests"


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
    """A store for as long as the block lasts; raises `NoJars` where there is none to be had."""
    programs = jars(f"s3proxy-{VERSION}", ARTEFACTS)
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(Path(folder), programs)
        try:
            server.start()
            yield server
        finally:
            server.stop()
