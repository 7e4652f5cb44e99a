"""The topics of sessions: their names, how they are made, what is in them from where to where."""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.kafka_address import TopicWishes
from streamlit_assistant.history.kafka_client import EXTRA, KafkaClient
from streamlit_assistant.history.kafka_errors import TopicMissing, translated

logger = logging.getLogger(__name__)

LONGEST = 249  # characters of a topic's name
LARGEST_RECORDS = 8 << 20  # bytes of what is written at once, compressed; hosted clusters allow it
_WEEK = 7 * 24 * 3600 * 1000  # ms after which Kafka begins a new segment by itself
_SHORTEST_SEGMENT = 1000  # ms
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9-]+")
_READABLE = 40  # characters of a session's name in a topic's that is not the same
_DIGEST = 40  # characters
_HASHED = re.compile(rf".*-[0-9a-f]{{{_DIGEST}}}")


@dataclass(frozen=True)
class Topic:
    """A topic that is there. One that was deleted and made again has another `made`."""

    name: str
    made: str
    partitions: tuple[int, ...]


@dataclass(frozen=True)
class Bounds:
    """From where to where a topic's partitions can be read."""

    low: Mapping[int, int]
    high: Mapping[int, int]  # the offset that comes next


def topic_names(prefix: str, session_id: str) -> tuple[str, ...]:
    """Return the names that a session's topic may have, the one that counts first.

    It is the session's own name where Kafka allows that. Otherwise, and where Kafka refuses it
    because of another topic (to it `a.b` and `a_b` are much the same), it is a hash.
    """
    plain = prefix + session_id
    legal = _LEGAL.fullmatch(plain) and len(plain) <= LONGEST and plain not in (".", "..")
    # Topics with two underscores are Kafka's own; and nobody shall choose the hash of another.
    if not legal or plain.startswith("__") or _HASHED.fullmatch(session_id):
        return (_hashed(prefix, session_id),)
    if "." in plain or "_" in plain:
        return (_hashed(prefix, session_id), plain)
    return (plain,)


def _hashed(prefix: str, session_id: str) -> str:
    digest = hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}{_ILLEGAL.sub('-', session_id)[:_READABLE]}-{digest[:_DIGEST]}"


class Topics:
    """What a cluster says of the topics of sessions."""

    def __init__(self, client: KafkaClient) -> None:
        self._client = client
        self._known: dict[tuple[str, ...], str] = {}

    def found(self, names: Sequence[str], left: float) -> Topic | None:
        """Return a session's topic, if there is one."""
        descriptions = self._described(names, left)
        return _first_there(descriptions)

    def bounds(
        self, names: Sequence[str], guess: Topic | None, left: float
    ) -> tuple[Topic, Bounds] | None:
        """Return a session's topic and what is in it; asks for both at once if it was there."""
        answers = self._asked_for_bounds(guess, left) if guess else None
        topic = self.found(names, left)
        if topic is None:
            return None
        if answers is None or topic != guess:
            answers = self._asked_for_bounds(topic, left)
        low, high = ({tp.partition: f.result().offset for tp, f in a.items()} for a in answers)
        return topic, Bounds(low, high)

    def ensured(self, names: tuple[str, ...], wishes: TopicWishes, left: float) -> str:
        """Return the name of a session's topic, made by now; one that is there stays as it is."""
        if names in self._known:
            return self._known[names]
        admin = driver("confluent_kafka.admin", EXTRA)
        resources = [admin.ConfigResource(admin.ResourceType.TOPIC, name) for name in names]
        configs = self._client.admin.describe_configs(resources, request_timeout=left)
        descriptions = self._described(names, left)
        topic = _first_there(descriptions)
        if topic is None:
            name = self._made(names, wishes, left)
        else:
            name = topic.name
            config = configs[resources[names.index(name)]].result()
            _warn_of_differences(descriptions[name], config, wishes)
        self._known[names] = name
        return name

    def forget(self, names: tuple[str, ...]) -> None:
        """Have the next write look whether the topic is there."""
        self._known.pop(names, None)

    def limit(self, name: str, left: float) -> int:
        """Return how many bytes a topic takes at once."""
        admin = driver("confluent_kafka.admin", EXTRA)
        resource = admin.ConfigResource(admin.ResourceType.TOPIC, name)
        asked = self._client.admin.describe_configs([resource], request_timeout=left)
        return int(asked[resource].result()["max.message.bytes"].value)

    def delete_before(self, name: str, ends: Mapping[int, int], left: float) -> None:
        """Delete all records before these offsets of the partitions."""
        kafka = driver("confluent_kafka", EXTRA)
        places = [kafka.TopicPartition(name, number, end) for number, end in ends.items() if end]
        for answer in self._client.admin.delete_records(places, request_timeout=left).values():
            answer.result()

    def _described(self, names: Sequence[str], left: float) -> dict[str, Any]:
        kafka = driver("confluent_kafka", EXTRA)
        asked = self._client.admin.describe_topics(
            kafka.TopicCollection(list(names)), request_timeout=left
        )
        there = {}
        for name in names:
            try:
                there[name] = asked[name].result()
            except kafka.KafkaException as error:
                if not isinstance(translated(error.args[0], ""), TopicMissing):
                    raise
        return there

    def _asked_for_bounds(self, topic: Topic, left: float) -> tuple[dict[Any, Any], dict[Any, Any]]:
        kafka = driver("confluent_kafka", EXTRA)
        spec = driver("confluent_kafka.admin", EXTRA).OffsetSpec
        low, high = (
            self._client.admin.list_offsets(
                {kafka.TopicPartition(topic.name, number): which for number in topic.partitions},
                request_timeout=left,
            )
            for which in (spec.earliest(), spec.latest())
        )
        return low, high

    def _made(self, names: tuple[str, ...], wishes: TopicWishes, left: float) -> str:
        kafka = driver("confluent_kafka", EXTRA)
        for name in reversed(names):
            try:
                self._create(name, wishes, left)
            except kafka.KafkaException as error:
                if error.args[0].name() == "TOPIC_ALREADY_EXISTS":
                    return name
                if error.args[0].name() != "TOPIC_EXCEPTION" or name == names[0]:
                    raise
            else:
                return name
        raise AssertionError("the first name is always tried")

    def _create(self, name: str, wishes: TopicWishes, left: float) -> None:
        topic = driver("confluent_kafka.admin", EXTRA).NewTopic(
            name,
            num_partitions=wishes.partition,
            replication_factor=wishes.replication_factor,
            config=topic_config(wishes),
        )
        self._client.admin.create_topics([topic], request_timeout=left)[name].result()


def topic_config(wishes: TopicWishes) -> dict[str, str]:
    """Return the configuration that a topic is made with."""
    config = {
        "retention.ms": str(wishes.ttl_ms),
        "retention.bytes": "-1",
        "cleanup.policy": "delete",
        "max.message.bytes": str(LARGEST_RECORDS),
        # The order of writers whose clocks differ is the broker's.
        "message.timestamp.type": "LogAppendTime",
    }
    if 0 < wishes.ttl_ms < 4 * _WEEK:
        # Only whole segments expire: smaller ones, so that they do within a quarter more.
        config["segment.ms"] = str(max(_SHORTEST_SEGMENT, wishes.ttl_ms // 4))
    return config


def _first_there(descriptions: Mapping[str, Any]) -> Topic | None:
    for name, description in descriptions.items():
        partitions = tuple(sorted(partition.id for partition in description.partitions))
        return Topic(name, str(description.topic_id), partitions)
    return None


def _warn_of_differences(topic: Any, config: Mapping[str, Any], wishes: TopicWishes) -> None:
    copies = {len(partition.replicas) for partition in topic.partitions}
    found = {
        "ttl_ms": (int(config["retention.ms"].value), wishes.ttl_ms),
        "partition": (len(topic.partitions), wishes.partition),
        "replication_factor": (min(copies, default=0), wishes.replication_factor),
    }
    differences = [
        f"{name} is {there}, not {wished}"
        for name, (there, wished) in found.items()
        if there != wished and not (name == "replication_factor" and wished == -1)
    ]
    if "compact" in config["cleanup.policy"].value:
        differences.append("cleanup.policy is compact, which drops all messages but the last")
    if differences:
        logger.warning(
            "the topic %s was made with other settings, and keeps them: %s",
            *(topic.name, "; ".join(differences)),
            extra={"topic": topic.name},
        )
