"""A history in Kafka."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from langchain_core.messages import BaseMessage
from langchain_core.runnables import run_in_executor

from streamlit_assistant.history.kafka_address import (
    FOR_EVER,
    PATIENCE,
    KafkaAddress,
    TopicWishes,
    address_of,
    servers_of,
    settings_of,
)
from streamlit_assistant.history.kafka_log import KafkaLog
from streamlit_assistant.history.langchain_messages import message_of
from streamlit_assistant.history.stored_history import StoredHistory

MessagesFrom = Literal["last_consumed", "beginning"]
WAIT_FOR_LATEST = 5.0  # seconds
_FIRST_LOOK, _LONGEST_PAUSE = 0.02, 0.2  # seconds between two looks for something new


def history_at(url: str, session_id: str) -> "KafkaHistory":
    """Return the history of a session in the cluster at a URL; `messages` are the whole of it."""
    address = address_of(url)
    return KafkaHistory(
        session_id,
        address.servers,
        address.wishes.ttl_ms,
        address.wishes.partition,
        address.wishes.replication_factor,
        messages_from="beginning",
        topic_prefix=address.topic_prefix,
        config=dict(address.settings),
        patience=address.patience,
    )


class KafkaHistory(StoredHistory):
    """The messages of one session in a topic of its own, in the order in which they were written.

    `messages` continues from the last consumed position, which Kafka keeps, and is empty at the
    end. With `messages_from="beginning"` it is the whole transcript, as LangChain's
    `RunnableWithMessageHistory` needs it, and the position stays where it is.

    The first write makes the topic: messages expire after `ttl_ms` (None: never), it has so many
    partitions and copies. A topic that is there keeps what it has. `bootstrap_servers` are
    `host:9092,host2:9092`; without them, KAFKA_BOOTSTRAP_SERVERS. `config` holds further settings
    of librdkafka.
    """

    def __init__(
        self,
        session_id: str,
        bootstrap_servers: str | None = None,
        ttl_ms: int | None = None,
        partition: int = 1,
        replication_factor: int = 1,
        *,
        messages_from: MessagesFrom = "last_consumed",
        topic_prefix: str = "",
        config: Mapping[str, Any] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if messages_from not in get_args(MessagesFrom):
            raise ValueError(f"messages_from is one of {', '.join(get_args(MessagesFrom))}")
        wishes = TopicWishes(FOR_EVER if ttl_ms is None else ttl_ms, partition, replication_factor)
        servers = servers_of(bootstrap_servers)
        address = KafkaAddress(servers, settings_of(config), wishes, topic_prefix, patience)
        self._kafka = KafkaLog(address, session_id)
        self._whole = messages_from == "beginning"
        super().__init__(self._kafka)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """The messages not consumed yet, or all of them; as the history was made."""
        if self._whole:
            return super().messages
        return self.messages_from_last_consumed()

    def messages_from_beginning(
        self, max_message_count: int | None = None, max_time_sec: float | None = None
    ) -> list[BaseMessage]:
        """Return the oldest messages; the position stays where it is.

        Where there are none it waits for the first, up to `max_time_sec`; without that it returns
        what is there.
        """
        limit = _limit(max_message_count)
        return _waited(lambda: self._kafka.after({}, limit), max_time_sec)

    def messages_from_last_consumed(
        self, max_message_count: int | None = None, max_time_sec: float | None = None
    ) -> list[BaseMessage]:
        """Return the messages after the position, and move it just past them.

        Where there are none it waits for the first, up to `max_time_sec`; without that it returns
        what is there.
        """
        limit = _limit(max_message_count)
        return _waited(lambda: self._kafka.take(limit), max_time_sec)

    def messages_from_latest(
        self,
        max_message_count: int | None = None,
        max_time_sec: float | None = WAIT_FOR_LATEST,
    ) -> list[BaseMessage]:
        """Return messages that are written from now on; the position stays where it is.

        It waits for the first of them, up to `max_time_sec`.
        """
        limit = _limit(max_message_count)
        end = self._kafka.end()
        return _waited(lambda: self._kafka.after(end, limit), max_time_sec)

    async def amessages_from_beginning(
        self, max_message_count: int | None = None, max_time_sec: float | None = None
    ) -> list[BaseMessage]:
        """Do what `messages_from_beginning` does, without blocking the event loop."""
        return await run_in_executor(
            None, self.messages_from_beginning, max_message_count, max_time_sec
        )

    async def amessages_from_last_consumed(
        self, max_message_count: int | None = None, max_time_sec: float | None = None
    ) -> list[BaseMessage]:
        """Do what `messages_from_last_consumed` does, without blocking the event loop."""
        return await run_in_executor(
            None, self.messages_from_last_consumed, max_message_count, max_time_sec
        )

    async def amessages_from_latest(
        self,
        max_message_count: int | None = None,
        max_time_sec: float | None = WAIT_FOR_LATEST,
    ) -> list[BaseMessage]:
        """Do what `messages_from_latest` does, without blocking the event loop."""
        return await run_in_executor(
            None, self.messages_from_latest, max_message_count, max_time_sec
        )


def _limit(count: int | None) -> int | None:
    if count is not None and count < 0:
        raise ValueError("max_message_count is a number of messages, or None for all")
    return count


def _waited(look: Callable[[], list[str]], seconds: float | None) -> list[BaseMessage]:
    """Look until there is something, or the time is over; at least once."""
    end = time.monotonic() + (seconds or 0)
    pause = _FIRST_LOOK
    while not (found := look()) and (left := end - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    return [message_of(body) for body in found]
