"""Writing to the topics of sessions: done when the cluster has confirmed every record."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import MessageRefused
from streamlit_assistant.history.kafka_client import EXTRA, LARGEST, KafkaClient
from streamlit_assistant.history.kafka_errors import AnswerPending
from streamlit_assistant.history.kafka_records import PARTITION, Record

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_WATCH = 0.5  # seconds that confirmations are waited for at once
_FRAME = 65536  # bytes that a record may cost beside its value and key


class _Delivery:
    """The confirmations of what one call has written."""

    def __init__(self, count: int) -> None:
        self.missing = count
        self.offset = -1  # of the last record
        self.error: KafkaError | None = None

    def report(self, error: "KafkaError | None", message: "Message") -> None:
        """Be told of one record by the producer."""
        self.missing -= 1
        if error is not None:
            self.error = self.error or error
        else:
            self.offset = max(self.offset, message.offset() or 0)


class Writer:
    """One producer for all topics and threads."""

    def __init__(self, client: KafkaClient) -> None:
        self._client = client
        self._news = threading.Condition()
        self._watched = False  # whether a thread waits for confirmations, for all of them

    def write(self, topic: str, key: bytes, records: Sequence[Record]) -> int:
        """Write records in their order and return the offset of the last one.

        Raises `KafkaException` where one of them was not confirmed; it may be there all the same.
        """
        largest = max(len(record.value or b"") for record in records)
        if largest + len(key) > LARGEST - _FRAME:
            raise MessageRefused(f"a message has {largest} bytes; {LARGEST} is the most")
        producer = self._client.producer
        delivery = _Delivery(len(records))
        for record in records:
            self._produce(producer, topic, key, record, delivery)
        while delivery.missing:
            self._serve(producer)
        if delivery.error is not None:
            self._raise(producer, delivery.error)
        return delivery.offset

    def _produce(
        self, producer: "Producer", topic: str, key: bytes, record: Record, delivery: _Delivery
    ) -> None:
        while True:
            try:
                return producer.produce(
                    topic,
                    value=record.value,
                    key=key,
                    partition=PARTITION,
                    headers=record.headers,
                    on_delivery=delivery.report,
                )
            except BufferError:
                # Others have written more than it can hold; it gets less as they are confirmed.
                self._serve(producer)

    def _serve(self, producer: "Producer") -> None:
        """Wait for confirmations. One thread polls for all; the others are woken by it."""
        with self._news:
            if self._watched:
                self._news.wait(_WATCH)
                return
            self._watched = True
        try:
            producer.poll(_WATCH)
        finally:
            with self._news:
                self._watched = False
                self._news.notify_all()

    def _raise(self, producer: "Producer", error: "KafkaError") -> None:
        if error.fatal():
            self._client.give_up(producer)
            raise AnswerPending(f"Kafka's producer has to begin again: {error.str()}")
        raise driver("confluent_kafka", EXTRA).KafkaException(error)
