"""A throw-away Kafka: one real broker, its own controller, on free ports of this machine."""

import base64
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.maven_jars import jars
from tests.start_process import free_port

VERSION = "4.1.1"
USER, PASSWORD = "writer", "s3cret/@:word"
LONGEST_START = 120.0  # seconds; also of one that recovers
# Small and quick to start; what it has to complain about goes to its log.
JAVA = (
    *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
ARTEFACTS = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
)


class KafkaBroker:
    """One broker. What it was told stays while it is killed and started again."""

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        self._folder = folder
        self._options = options
        self._port, self._signed_port, self._control_port = (free_port() for _ in range(3))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """What clients are pointed at."""
        return f"127.0.0.1:{self._port}"

    @property
    def signed_servers(self) -> str:
        """Where nobody but USER gets in."""
        return f"127.0.0.1:{self._signed_port}"

    def create(self) -> None:
        """Make its files and start it."""
        control = f"127.0.0.1:{self._control_port}"
        options = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": control,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"OPEN://{self.servers},SIGNED://{self.signed_servers},CONTROLLER://{control}",
            "advertised.listeners": f"OPEN://{self.servers},SIGNED://{self.signed_servers}",
            "inter.broker.listener.name": "OPEN",
            "listener.security.protocol.map": (
                "CONTROLLER:PLAINTEXT,OPEN:PLAINTEXT,SIGNED:SASL_PLAINTEXT"
            ),
            "listener.name.signed.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.signed.plain.sasl.jaas.config": (
                "org.apache.kafka.common.security.plain.PlainLoginModule required"
                f' user_{USER}="{PASSWORD}";'
            ),
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            # One that was killed is let in again only when this has passed.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "log.retention.check.interval.ms": "500",
            "log.cleaner.dedupe.buffer.size": str(2 << 20),
            **self._options,
        }
        text = "".join(f"{name}={value}\n" for name, value in options.items())
        (self._folder / "server.properties").write_text(text, encoding="utf-8")
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ("format", "--standalone", f"--cluster-id={identity}", "--config")
        assert self._popen("kafka.tools.StorageTool", *arguments).wait() == 0, self.log
        self.start()

    def start(self) -> None:
        """Start the broker; it answers when this returns."""
        self._process = self._popen("kafka.Kafka")
        deadline = time.monotonic() + LONGEST_START
        admin = AdminClient(
            {
                "bootstrap.servers": self.servers,
                "log_level": 0,
                "reconnect.backoff.max.ms": 100,
            }
        )
        while True:
            assert self._process.poll() is None, self.log
            try:
                if admin.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                assert time.monotonic() < deadline, self.log

    def stop(self) -> None:
        """Kill it: no connection is told good-bye, what it has confirmed stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        """What it has complained about so far."""
        return (self._folder / "log").read_text(encoding="utf-8")

    def _popen(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        java = shutil.which("java")
        assert java is not None
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(java, *JAVA, "-cp", f"{_programs()}/*", program),
                    *(*arguments, str(self._folder / "server.properties")),
                ],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests, which then stop it themselves.
                start_new_session=True,
            )


@contextmanager
def kafka_broker(**options: str) -> Iterator[KafkaBroker]:
    """A broker for as long as the block lasts; options are written with `_` for `.`.

    Raises `NoJars` where there is none to be had.
    """
    _programs()
    folder = Path(tempfile.mkdtemp(prefix="kafka-"))
    broker = KafkaBroker(folder, {name.replace("_", "."): v for name, v in options.items()})
    try:
        broker.create()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(folder)


def _programs() -> Path:
    return jars(f"kafka-{VERSION}", ARTEFACTS)
