"""What all logs of one Kafka cluster share within a process."""

from typing import Any

from streamlit_assistant.history.kafka_address import KafkaAddress
from streamlit_assistant.history.kafka_client import KafkaClient
from streamlit_assistant.history.kafka_positions import Positions
from streamlit_assistant.history.kafka_reader import Reader
from streamlit_assistant.history.kafka_topic import Topics
from streamlit_assistant.history.kafka_writer import Writer
from streamlit_assistant.history.shared import Shared


class KafkaCluster:
    """One connection of each kind, and what was read over them."""

    def __init__(
        self, servers: str, settings: tuple[tuple[str, Any], ...], patience: float
    ) -> None:
        self.client = KafkaClient(servers, settings, patience)
        self.topics = Topics(self.client)
        self.reader = Reader(self.client, self.topics)
        self.writer = Writer(self.client)
        self.positions = Positions(self.client)
        # It needs half a second before it can write for the first time; that may pass meanwhile.
        _ = self.client.producer

    def close(self) -> None:
        """End the connections."""
        self.client.close()


CLUSTERS = Shared(KafkaCluster, KafkaCluster.close)


def cluster_of(address: KafkaAddress) -> KafkaCluster:
    """Return the cluster at an address, to be given back by `give_back`."""
    return CLUSTERS.acquire(address.servers, address.settings, address.patience)


def give_back(address: KafkaAddress) -> None:
    """Give a cluster back; the last one closes it."""
    CLUSTERS.release(address.servers, address.settings, address.patience)
