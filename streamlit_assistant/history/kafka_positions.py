"""How far sessions were read, kept by Kafka as the positions of a group that nobody joins.

One group does for all sessions, since each has a topic of its own. Kafka forgets a position that
did not change for a week, unless `offsets.retention.minutes` says otherwise.
"""

import time
from collections.abc import Mapping

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.kafka_client import EXTRA, KafkaClient
from streamlit_assistant.history.kafka_errors import AnswerPending
from streamlit_assistant.history.kafka_topic import Topic
from streamlit_assistant.history.kafka_transcript import Place

_LOOK = 0.002  # seconds between two looks for the answer


class Positions:
    """The positions of all sessions of a cluster.

    The administrator of librdkafka 2.16 could do this without a consumer, but ends the process
    when the answer comes after its time.
    """

    def __init__(self, client: KafkaClient) -> None:
        self._client = client
        self._unsure: dict[str, Mapping[int, Place]] = {}

    def load(self, topic: Topic, left: float) -> dict[int, Place]:
        """Return the places up to which a topic was read; none in partitions not read yet."""
        if topic.made in self._unsure:
            return dict(self._unsure[topic.made])
        kafka = driver("confluent_kafka", EXTRA)
        asked = [kafka.TopicPartition(topic.name, number) for number in topic.partitions]
        with self._client.consuming() as consumer:
            answers = consumer.committed(asked, timeout=left)
        places = {}
        for one in answers:
            if one.error is not None:
                raise kafka.KafkaException(one.error)
            made, _, number = (one.metadata or "").partition("#")
            if one.offset >= 0 and made == topic.made:  # else of another topic of the same name
                places[one.partition] = (one.offset, int(number))
        return places

    def store(
        self, topic: Topic, before: Mapping[int, Place], after: Mapping[int, Place], left: float
    ) -> None:
        """Move the places up to which a topic was read.

        If that cannot be confirmed they count as not moved, at least in this process.
        """
        kafka = driver("confluent_kafka", EXTRA)
        self._unsure[topic.made] = before
        offsets = [
            kafka.TopicPartition(topic.name, partition, offset, f"{topic.made}#{number}")
            for partition, (offset, number) in after.items()
        ]
        wanted = {(one.topic, one.partition, one.offset) for one in offsets}
        end = time.monotonic() + left
        with self._client.consuming() as consumer:
            self._client.commit = None
            consumer.commit(offsets=offsets, asynchronous=True)
            while (answer := self._client.commit) is None or answer.offsets != wanted:
                if time.monotonic() > end:
                    raise AnswerPending(f"Kafka at {self._client.servers} keeps no position")
                consumer.poll(_LOOK)
        if answer.error is not None:
            raise kafka.KafkaException(answer.error)
        del self._unsure[topic.made]
