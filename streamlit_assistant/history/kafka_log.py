"""The log of a session in Kafka: a topic of its own, which holds whatever was ever written."""

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence

from streamlit_assistant.history import kafka_records as records
from streamlit_assistant.history.collector import collector_resting
from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.entries import Entry, distinct
from streamlit_assistant.history.history_errors import MessageRefused
from streamlit_assistant.history.kafka_address import KafkaAddress, address_of
from streamlit_assistant.history.kafka_client import EXTRA, check_settings
from streamlit_assistant.history.kafka_cluster import KafkaCluster, cluster_of, give_back
from streamlit_assistant.history.kafka_topic import Topic, topic_names
from streamlit_assistant.history.kafka_transcript import Place, Told

logger = logging.getLogger(__name__)

_NOT_ALLOWED = {"POLICY_VIOLATION", "TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"}


def log_at(url: str, session_id: str) -> "KafkaLog":
    """Return the log of a session in the cluster at a URL; connects to nothing yet."""
    return KafkaLog(address_of(url), session_id)


def check_address(url: str) -> None:
    """Raise `BadAddress` or `MissingDriver` if no log can be opened at a URL."""
    check_settings(address_of(url).settings)


class KafkaLog:
    """A `MessageLog` in a topic, with a position up to which the session was read.

    The topic is made by the first write. To delete it is to clear the session.
    """

    def __init__(self, address: KafkaAddress, session_id: str) -> None:
        self._address = address
        self._names = topic_names(address.topic_prefix, session_id)
        self._key = session_id.encode("utf-8", "surrogatepass")
        self._closed = False
        self._process = os.getpid()
        self._own_cluster = cluster_of(address)

    @property
    def _cluster(self) -> KafkaCluster:
        if self._process != os.getpid():  # a forked process must not use its parent's connections
            self._process = os.getpid()
            self._own_cluster = cluster_of(self._address)
        return self._own_cluster

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries at the end, all of them in their order, without those it holds already."""
        if unique := distinct(entries):
            self._write(lambda: records.messages(unique))

    def read(self) -> Sequence[str]:
        """Return the bodies of all messages, oldest first."""
        with collector_resting(True), self._cluster.reader.looking(self._names) as transcript:
            return transcript.bodies()

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        """Return at most `limit` bodies, newest first, whose folded text holds all words."""
        with self._cluster.reader.looking(self._names) as transcript:
            return transcript.search(words, limit)

    def remove(self, keys: Collection[str]) -> None:
        """Hide these messages for good; in the topic they stay until they expire."""
        if keys and self._topic() is not None:
            self._write(lambda: list(records.removals(keys)))

    def clear(self) -> None:
        """Remove all messages, in the topic as well; those that follow begin a new history."""
        client, topics = self._cluster.client, self._cluster.topics
        found = client.patiently(lambda left: topics.bounds(self._names, None, left))
        if found is None or found[1].low == found[1].high:
            return
        topic, bounds = found
        # First what every reader sees: Kafka may forget after a crash what it has deleted.
        offset = self._write(lambda: [records.clearing(bounds.high)])
        self._delete(topic.name, {**bounds.high, records.PARTITION: offset + 1})

    def end(self) -> dict[int, Place]:
        """Return the place after everything that was written so far."""
        with self._cluster.reader.looking(self._names) as transcript:
            return transcript.end()

    def after(self, places: Mapping[int, Place], limit: int | None) -> list[str]:
        """Return the bodies after a place, at most so many; the position stays where it is."""
        with self._cluster.reader.looking(self._names) as transcript:
            return [one.body for one in transcript.after(places)[:limit]]

    def take(self, limit: int | None) -> list[str]:
        """Return the bodies after the position, at most so many, and move it past them."""
        client, positions = self._cluster.client, self._cluster.positions
        with self._cluster.reader.looking(self._names) as transcript:
            if (topic := transcript.topic) is None:
                return []
            before = client.patiently(lambda left: positions.load(topic, left))
            unread = transcript.after(_sound(before, transcript.end()))
            taken, rest = unread[:limit], unread[len(unread) if limit is None else limit :]
            if taken:
                behind = _behind(taken, rest)
                client.patiently(lambda left: positions.store(topic, before, behind, left))
            return [one.body for one in taken]

    def close(self) -> None:
        """Give back the connections; the last log of a cluster ends them."""
        if not self._closed:
            self._closed = True
            _ = self._cluster  # of this process
            give_back(self._address)

    def _topic(self) -> Topic | None:
        return self._cluster.client.patiently(
            lambda left: self._cluster.topics.found(self._names, left)
        )

    def _write(self, made: Callable[[], Sequence[records.Record]]) -> int:
        """Write records, made anew for each try so that nobody takes two halves for a whole."""
        topics = self._cluster.topics

        def attempt(left: float) -> int:
            name = topics.ensured(self._names, self._address.wishes, left)
            try:
                return self._cluster.writer.write(name, self._key, made())
            except driver("confluent_kafka", EXTRA).KafkaException:
                topics.forget(self._names)  # it may be gone; whatever it was, the next try looks
                raise

        try:
            return self._cluster.client.patiently(attempt)
        except MessageRefused as error:
            raise self._explained(error) from error

    def _explained(self, error: MessageRefused) -> MessageRefused:
        if (topic := self._topic()) is None:
            return error
        limit = self._cluster.client.patiently(
            lambda left: self._cluster.topics.limit(topic.name, left)
        )
        return MessageRefused(f"{error}; its topic takes at most {limit} bytes, compressed")

    def _delete(self, topic: str, ends: Mapping[int, int]) -> None:
        kafka = driver("confluent_kafka", EXTRA)

        def attempt(left: float) -> None:
            try:
                self._cluster.topics.delete_before(topic, ends, left)
            except kafka.KafkaException as error:
                if error.args[0].name() not in _NOT_ALLOWED:
                    raise
                logger.warning(
                    "%s is cleared, but Kafka keeps its old records until they expire: %s",
                    *(topic, error.args[0].str()),
                    extra={"topic": topic},
                )

        self._cluster.client.patiently(attempt)


def _behind(taken: Sequence[Told], rest: Sequence[Told]) -> dict[int, Place]:
    """Return the places just after the messages taken: after a record, or within what it ended."""
    begun = {(one.partition, one.place[0]) for one in rest}
    places = {}
    for one in taken:
        offset, number = one.place
        half = (one.partition, offset) in begun
        places[one.partition] = (offset, number + 1) if half else (offset + 1, 0)
    return places


def _sound(places: Mapping[int, Place], end: Mapping[int, Place]) -> dict[int, Place]:
    """Return the places that can be: one behind the end is of a topic that was there before."""
    return {number: place for number, place in places.items() if place <= end.get(number, place)}
