"""The connections to one Kafka cluster: one of each kind, made when they are first needed."""

import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import BadAddress
from streamlit_assistant.history.kafka_errors import AnswerPending, translated

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient

T = TypeVar("T")

EXTRA = "kafka"
LARGEST = 32 << 20  # bytes of a message before it is compressed; the topic limits it after that
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between two tries
_LAST_FLUSH = 5.0  # seconds
_EVERYONES = {
    "client.id": "streamlit-assistant",
    "log_level": 0,  # librdkafka writes to stderr; what is wrong is said by exceptions
    "reconnect.backoff.max.ms": 250,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 1000,
    "socket.keepalive.enable": True,
}
_PRODUCERS = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 0,
    "message.max.bytes": LARGEST,
    # A topic that is gone is made again; until then nobody needs to wait for it.
    "topic.metadata.propagation.max.ms": 500,
}
_CONSUMERS = {
    "group.id": "streamlit-assistant",  # under which positions are kept; nobody joins it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # Marks of transactions have offsets and are given to nobody; the end of a partition tells.
    "enable.partition.eof": True,
    "isolation.level": "read_uncommitted",
    "auto.offset.reset": "error",
    # It is asked only for what is there. Waiting for more would hold up the next topic's reader.
    "fetch.wait.max.ms": 0,
}


@dataclass(frozen=True)
class Commit:
    """How the keeping of positions has ended: of which topics, partitions and offsets."""

    error: "KafkaError | None"
    offsets: set[tuple[str, int, int]]


class KafkaClient:
    """An administrator, a producer and a consumer. What they fail with is translated."""

    def __init__(
        self, servers: str, settings: tuple[tuple[str, Any], ...], patience: float
    ) -> None:
        self.servers = servers
        self.patience = patience
        self._settings = dict(settings)
        self._lock = threading.Lock()
        self._admin: AdminClient | None = None
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._consuming = threading.Lock()
        self._complaint = ""  # what a connection last failed with
        self.commit: Commit | None = None
        os.register_at_fork(after_in_child=partial(_leave_to_parent, weakref.ref(self)))

    @property
    def admin(self) -> "AdminClient":
        """Who knows topics and positions."""
        with self._lock:
            if self._admin is None:
                self._admin = _made("confluent_kafka.admin", "AdminClient", self._config({}))
            return self._admin

    @property
    def producer(self) -> "Producer":
        """Who writes. What it could not write in time it gives up, and never writes later."""
        with self._lock:
            if self._producer is None:
                timeout = {"message.timeout.ms": max(1, int(self.patience * 1000))}
                config = self._config(_PRODUCERS | timeout)
                self._producer = _made("confluent_kafka", "Producer", config)
            return self._producer

    @contextmanager
    def consuming(self) -> Iterator["Consumer"]:
        """Give who reads, to one thread at a time."""
        with self._consuming:
            if self._consumer is None:
                config = self._config(_CONSUMERS | {"on_commit": self._committed})
                self._consumer = _made("confluent_kafka", "Consumer", config)
            yield self._consumer

    def give_up(self, producer: "Producer") -> None:
        """Have the next write use another producer: this one can do no more."""
        with self._lock:
            if self._producer is producer:
                self._producer = None

    def patiently(self, attempt: Callable[[float], T]) -> T:
        """Do what is asked until it is done or patience is over.

        `attempt` is given the seconds that are left. Raises `HistoryError`.
        """
        end = time.monotonic() + self.patience
        try:
            return self._attempted(attempt, end)  # mostly it is done at once
        except AnswerPending:
            if time.monotonic() >= end:
                raise
        retrying = Retrying(
            stop=stop_after_delay(end - time.monotonic()),
            wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            retry=retry_if_exception_type(AnswerPending),
            reraise=True,
        )
        time.sleep(_FIRST_PAUSE)
        done: T = retrying(self._attempted, attempt, end)
        return done

    def _attempted(self, attempt: Callable[[float], T], end: float) -> T:
        try:
            return attempt(max(0.05, end - time.monotonic()))
        except driver("confluent_kafka", EXTRA).KafkaException as error:
            raise translated(error.args[0], self.servers, self._known_cause()) from error

    def _known_cause(self) -> str:
        # A request only says that it has waited in vain; why is told to whoever asks for events.
        self.admin.poll(0)
        return self._complaint

    def close(self) -> None:
        """End all connections."""
        with self._lock, self._consuming:
            producer, consumer = self._producer, self._consumer
            self._admin = self._producer = self._consumer = None
        if producer is not None:
            producer.flush(min(_LAST_FLUSH, self.patience))
        if consumer is not None:
            consumer.close()

    def leave_to_parent(self) -> None:
        """Have a forked process never end what its parent uses.

        librdkafka would wait for threads that are not there, or crash; so it is never let go.
        """
        for connection in (self._admin, self._producer, self._consumer):
            if connection is not None:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))

    def _config(self, ours: dict[str, Any]) -> dict[str, Any]:
        return {
            **_EVERYONES,
            **ours,
            **self._settings,
            "bootstrap.servers": self.servers,
            "error_cb": self._complained,
        }

    def _committed(self, error: "KafkaError | None", places: list["TopicPartition"]) -> None:
        self.commit = Commit(error, {(one.topic, one.partition, one.offset) for one in places})

    def _complained(self, error: "KafkaError") -> None:
        if error.name() != "_ALL_BROKERS_DOWN":  # which says no more than that there were others
            self._complaint = error.str()


def _leave_to_parent(reference: "weakref.ref[KafkaClient]") -> None:
    if (client := reference()) is not None:
        client.leave_to_parent()


def check_settings(settings: tuple[tuple[str, Any], ...]) -> None:
    """Raise `BadAddress` for a setting that librdkafka does not know; connects to nothing."""
    _made("confluent_kafka", "Producer", {**_EVERYONES, **_PRODUCERS, **dict(settings)})


def _made(module: str, kind: str, config: dict[str, Any]) -> Any:
    library = driver("confluent_kafka", EXTRA)
    try:
        return getattr(driver(module, EXTRA), kind)(config)
    except library.KafkaException as error:
        raise BadAddress(f"Kafka's client cannot be made: {error.args[0].str()}") from error
