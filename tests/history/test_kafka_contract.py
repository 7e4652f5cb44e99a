"""KafkaHistory keeps the contract, with a real broker."""

from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from streamlit_assistant.history import KafkaHistory
from tests.history.contract import HistoryContract


@dataclass
class KafkaStore:
    """A broker of many tests, each with topics of its own."""

    servers: str
    partition: int = 1
    prefix: str = field(default_factory=lambda: f"{uuid4().hex[:12]}-")

    def history(self, session_id: str) -> KafkaHistory:
        return KafkaHistory(
            session_id,
            self.servers,
            partition=self.partition,
            messages_from="beginning",
            topic_prefix=self.prefix,
        )


class TestKafkaHistory(HistoryContract):
    @pytest.fixture
    def store(self, kafka_servers: str) -> KafkaStore:
        return KafkaStore(kafka_servers)


class TestKafkaHistoryOfThreePartitions(HistoryContract):
    @pytest.fixture
    def store(self, kafka_servers: str) -> KafkaStore:
        return KafkaStore(kafka_servers, partition=3)
