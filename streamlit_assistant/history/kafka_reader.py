"""Reading the topics of sessions: only what is new since the last look, the rest from memory."""

import heapq
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.kafka_client import EXTRA, KafkaClient
from streamlit_assistant.history.kafka_errors import AnswerPending
from streamlit_assistant.history.kafka_topic import Topics
from streamlit_assistant.history.kafka_transcript import Transcript, Transcripts

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

KEPT_IN_MEMORY = 64 << 20  # bytes, of all sessions of a cluster
_RECORDS_AT_ONCE = 1000
_LONGEST_FETCH = 0.2  # seconds; fewer records than expected are waited for as long


class Reader:
    """One consumer for all topics: it reads up to what is there when asked, and no further."""

    def __init__(self, client: KafkaClient, topics: Topics) -> None:
        self._client = client
        self._topics = topics
        self._kept = Transcripts(KEPT_IN_MEMORY)

    @contextmanager
    def looking(self, names: tuple[str, ...]) -> Iterator[Transcript]:
        """Give the transcript of a session's topic as it is now; nobody else has it meanwhile."""
        transcript = self._kept.of(names)
        with transcript.lock:
            try:
                self._client.patiently(partial(self._catch_up, transcript, names))
                yield transcript
            finally:
                self._kept.weigh(names, transcript)

    def _catch_up(self, transcript: Transcript, names: tuple[str, ...], left: float) -> None:
        end = time.monotonic() + left
        found = self._topics.bounds(names, transcript.topic, left)
        if found is None:
            transcript.reset(None)
            return
        topic, bounds = found
        shorter = any(transcript.next.get(number, 0) > high for number, high in bounds.high.items())
        if topic != transcript.topic or shorter:
            transcript.reset(topic)
        transcript.expire(bounds.low)
        behind = {}
        for number, high in bounds.high.items():
            start = max(transcript.next.get(number, 0), bounds.low[number])
            transcript.next[number] = start
            if start < high:
                behind[number] = (start, high)
        if behind:
            self._fetch(transcript, topic.name, behind, end)

    def _fetch(
        self,
        transcript: Transcript,
        name: str,
        behind: Mapping[int, tuple[int, int]],
        end: float,
    ) -> None:
        partition_class = driver("confluent_kafka", EXTRA).TopicPartition
        places = [partition_class(name, number, start) for number, (start, _) in behind.items()]
        with self._client.consuming() as consumer:
            # Without this it learns of a topic that is new to it within a second only.
            consumer.list_topics(name, timeout=max(0.05, end - time.monotonic()))
            consumer.assign(places)
            try:
                if len(places) == 1:
                    for record in self._records(consumer, name, behind, end):
                        transcript.add(record)
                    return
                found = list(self._records(consumer, name, behind, end))
            finally:
                consumer.unassign()
        for record in _merged(found):
            transcript.add(record)

    def _records(
        self,
        consumer: "Consumer",
        name: str,
        behind: Mapping[int, tuple[int, int]],
        end: float,
    ) -> Iterator["Message"]:
        """Yield the records that are there, each partition's in order."""
        waiting = dict(behind)
        while waiting:
            count = sum(high - start for start, high in waiting.values())
            found = consumer.consume(min(count, _RECORDS_AT_ONCE), _LONGEST_FETCH)
            if not found and time.monotonic() > end:
                raise AnswerPending(f"Kafka at {self._client.servers} does not give what it has")
            for record in found:
                partition, offset = record.partition() or 0, record.offset() or 0
                if record.topic() != name or partition not in waiting:
                    continue  # of what was read before
                start, high = waiting[partition]
                if self._is_record(record) and offset >= start:
                    yield record
                    offset += 1
                waiting[partition] = (max(start, offset), high)
                if offset >= high:
                    del waiting[partition]

    @staticmethod
    def _is_record(record: "Message") -> bool:
        error = record.error()
        if error is None:
            return True
        if error.name() != "_PARTITION_EOF":
            raise driver("confluent_kafka", EXTRA).KafkaException(error)
        return False


def _merged(found: list["Message"]) -> Iterator["Message"]:
    """Merge partitions by time; each keeps its own order, whatever its times are."""
    by_partition: dict[int, list[Message]] = {}
    for record in found:
        by_partition.setdefault(record.partition() or 0, []).append(record)
    return heapq.merge(
        *by_partition.values(), key=lambda record: (record.timestamp()[1], record.partition())
    )
