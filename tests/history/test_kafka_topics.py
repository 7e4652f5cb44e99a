"""The topics of sessions: as they were asked for, and those that others have made and written."""

import importlib
import json
import re
import time
import warnings
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import (
    Consumer,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from langchain_core.messages import AIMessage, HumanMessage, messages_from_dict

from streamlit_assistant.history import KafkaHistory
from streamlit_assistant.history.history_errors import HistoryUnavailable, MessageRefused
from streamlit_assistant.history.kafka_topic import topic_names
from tests.history.contract import EVERY_KIND, texts, without_ids
from tests.kafka_broker import KafkaBroker

with warnings.catch_warnings():
    # It says that it is no longer maintained, which is why ours exist.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_community.chat_message_histories import KafkaChatMessageHistory

kafka_admin: Any = importlib.import_module("confluent_kafka.admin")  # mypy knows half of it
Headers = list[tuple[str, str | bytes | None]]
HASHED = r"[a-zA-Z0-9-]*-[0-9a-f]{40}"


@pytest.fixture
def session() -> str:
    return f"session-{uuid4().hex}"


@pytest.fixture
def admin(kafka_servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_servers, "log_level": 0})


def whole(session: str, servers: str, **options: Any) -> KafkaHistory:
    return KafkaHistory(session, servers, messages_from="beginning", **options)


def config_of(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = kafka_admin.ConfigResource(kafka_admin.ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result()
    return {name: str(entry.value) for name, entry in entries.items()}


def partitions_of(admin: AdminClient, topic: str) -> list[Any]:
    described = admin.describe_topics(TopicCollection([topic]))[topic].result()
    return list(described.partitions)


def create(admin: AdminClient, topic: str, partitions: int = 1, **config: str) -> None:
    config = {name.replace("_", "."): value for name, value in config.items()}
    made = kafka_admin.NewTopic(topic, partitions, 1, config=config)
    admin.create_topics([made])[topic].result()


def delete(admin: AdminClient, topic: str) -> None:
    """Delete a topic; it is gone when this returns."""
    admin.delete_topics([topic])[topic].result()
    while True:
        try:
            partitions_of(admin, topic)
        except KafkaException:
            return


def test_the_topic_is_made_as_asked(session: str, kafka_servers: str, admin: AdminClient) -> None:
    history = whole(session, kafka_servers, ttl_ms=60_000, partition=3)
    history.add_user_message("one")

    config = config_of(admin, session)
    assert config["retention.ms"] == "60000"
    assert config["segment.ms"] == "15000"  # what is to expire must not wait for a week
    assert [len(partition.replicas) for partition in partitions_of(admin, session)] == [1, 1, 1]


def test_without_a_time_to_live_messages_stay_for_ever(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    KafkaHistory(session, kafka_servers).add_user_message("one")

    assert config_of(admin, session)["retention.ms"] == "-1"


def test_as_many_copies_as_asked_are_asked_for(session: str, kafka_servers: str) -> None:
    history = whole(session, kafka_servers, replication_factor=5, patience=0.5)

    with pytest.raises(HistoryUnavailable, match="5"):  # there are not so many brokers
        history.add_user_message("one")


def test_reading_makes_no_topic(session: str, kafka_servers: str, admin: AdminClient) -> None:
    history = KafkaHistory(session, kafka_servers)
    assert history.messages == history.messages_from_beginning() == []
    history.clear()
    history.remove_messages(["one"])

    assert session not in admin.list_topics(timeout=10).topics


def test_other_settings_of_a_topic_are_told_once_and_kept(
    session: str, kafka_servers: str, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    create(admin, session, 2, retention_ms="604800000")
    for text in ("one", "two"):
        whole(session, kafka_servers, ttl_ms=1000, partition=2).add_user_message(text)

    assert [record.getMessage() for record in caplog.records] == [
        f"the topic {session} was made with other settings, and keeps them:"
        " ttl_ms is 604800000, not 1000"
    ]
    assert config_of(admin, session)["retention.ms"] == "604800000"


def test_a_topic_that_keeps_only_the_last_message_is_told(
    session: str, kafka_servers: str, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    create(admin, session, retention_ms="-1", cleanup_policy="compact")
    whole(session, kafka_servers).add_user_message("one")

    assert "compact" in caplog.text


@pytest.mark.parametrize("name", ["a", "A-1", "thread_1", "x" * 249])
def test_a_legal_name_is_the_topics(name: str) -> None:
    assert topic_names("", name)[-1] == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "user 1/chat:ü", "x" * 250, "__consumer_offsets", "half \ud83d"]
)
def test_any_other_name_is_hashed_and_readable(name: str) -> None:
    [topic] = topic_names("", name)

    assert re.fullmatch(HASHED, topic)


def test_nobody_gets_at_a_hashed_session_by_its_topics_name() -> None:
    [topic] = topic_names("", "user 1")

    assert topic_names("", topic) != (topic,)


def test_names_that_are_one_to_kafka_are_two_sessions(session: str, kafka_servers: str) -> None:
    names = [f"{session}.a_b", f"{session}_a.b", f"{session}_a_b"]
    for name in names:
        whole(name, kafka_servers).add_user_message(name)

    assert [texts(whole(name, kafka_servers)) for name in names] == [[name] for name in names]


def records_of(servers: str, topic: str, count: int) -> list[Message]:
    """The first records of a topic."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": uuid4().hex, "log_level": 0})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return consumer.consume(count, 20)
    finally:
        consumer.close()


def test_a_record_has_the_session_as_its_key_and_what_langchain_reads(
    session: str, kafka_servers: str
) -> None:
    name = f"{session} ü"
    whole(name, kafka_servers).add_messages(EVERY_KIND)
    records = records_of(kafka_servers, topic_names("", name)[0], len(EVERY_KIND))

    assert {record.key() for record in records} == {name.encode()}
    bodies = [json.loads(record.value() or b"") for record in records]
    assert messages_from_dict(bodies) == list(EVERY_KIND)


def test_langchains_own_class_reads_what_ours_has_written(session: str, kafka_servers: str) -> None:
    history = whole(session, kafka_servers)
    history.add_messages([HumanMessage("one"), AIMessage("two", id="two"), AIMessage("three")])
    history.remove_messages(["unknown"])
    history.add_user_message("four")

    theirs = KafkaChatMessageHistory(session, kafka_servers)
    assert [message.content for message in theirs.messages_from_beginning(4, 30)] == [
        *("one", "two", "three", "four")
    ]


def test_what_langchains_own_class_has_written_is_read(session: str, kafka_servers: str) -> None:
    theirs = KafkaChatMessageHistory(session, kafka_servers, partition=3)
    theirs.add_messages(without_ids(EVERY_KIND)[:1])
    for message in EVERY_KIND[1:]:
        time.sleep(0.003)  # they are told apart by their milliseconds
        theirs.add_messages([message])
    history = whole(session, kafka_servers, partition=3, ttl_ms=604800000)
    time.sleep(0.003)
    history.add_messages([HumanMessage("ours", id="o1"), EVERY_KIND[1]])

    expected = [*without_ids(EVERY_KIND)[:1], *EVERY_KIND[1:], HumanMessage("ours", id="o1")]
    assert history.messages == expected
    history.remove_messages([str(EVERY_KIND[2].id)])
    assert history.messages == [*expected[:2], *expected[3:]]


def test_positions_in_a_topic_of_several_partitions_pass_over_what_was_returned(
    session: str, kafka_servers: str
) -> None:
    theirs = KafkaChatMessageHistory(session, kafka_servers, partition=3)
    for number in range(9):
        theirs.add_user_message(str(number))
        time.sleep(0.003)

    parts: list[str] = []
    for _ in range(5):
        found = KafkaHistory(session, kafka_servers, partition=3).messages_from_last_consumed(2)
        parts += [str(message.content) for message in found]
    assert parts == [str(number) for number in range(9)]


def test_a_cleared_topic_of_several_partitions_is_empty_in_all(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    theirs = KafkaChatMessageHistory(session, kafka_servers, partition=3)
    theirs.add_messages([HumanMessage(str(number)) for number in range(20)])
    reading, clearing = (whole(session, kafka_servers, partition=3) for _ in range(2))
    assert len(reading.messages) == 20
    clearing.clear()
    theirs.add_user_message("new")

    assert texts(reading) == texts(clearing) == ["new"]


def test_records_that_are_no_messages_are_passed_over(
    session: str, kafka_servers: str, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    create(admin, session, retention_ms="-1")
    history = whole(session, kafka_servers)
    history.add_user_message("one")
    producer = Producer({"bootstrap.servers": kafka_servers, "log_level": 0})
    for value in (b"no JSON", b"\xff\xfe", b"[]", b'{"type": "human"}', b"", None):
        producer.produce(session, value, partition=0)
    producer.flush(20)
    history.add_user_message("two")

    assert texts(history) == ["one", "two"]
    assert caplog.text.count("is no message") == 5


def test_the_order_of_writing_is_kept_in_a_topic_of_three_partitions(
    session: str, kafka_servers: str
) -> None:
    history = whole(session, kafka_servers, partition=3)
    for number in range(60):
        history.add_user_message(str(number))

    assert texts(history) == texts(whole(session, kafka_servers)) == [str(n) for n in range(60)]


def test_what_a_topic_does_not_take_is_refused_with_its_limit(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    create(admin, session, retention_ms="-1", max_message_bytes="5000")
    history = whole(session, kafka_servers)
    noise = "".join(uuid4().hex for _ in range(1000))  # not to be compressed much
    with pytest.raises(MessageRefused, match="5000 bytes"):
        history.add_messages([HumanMessage("before"), HumanMessage(noise)])
    history.add_user_message("after")

    assert texts(history) == ["after"]  # what is added at once is there as a whole or not at all


def test_what_kafka_never_takes_is_refused_before_anything_is_written(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    history = whole(session, kafka_servers)
    with pytest.raises(MessageRefused, match="bytes"):
        history.add_messages([HumanMessage("before"), HumanMessage("x" * (40 << 20))])

    assert history.messages == []


def test_a_deleted_topic_is_an_empty_history_and_comes_back_with_the_next_message(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    history, reading = whole(session, kafka_servers), KafkaHistory(session, kafka_servers)
    for number in range(3):
        history.add_messages([HumanMessage("old", id=str(number))])
    assert len(reading.messages) == len(history.messages) == 3
    delete(admin, session)

    assert history.messages == reading.messages == []
    history.clear()
    for number in range(4):
        history.add_messages([HumanMessage(f"new {number}", id=str(number))])
    new = [f"new {number}" for number in range(4)]
    assert texts(history) == new
    assert texts(reading) == new
    assert config_of(admin, session)["retention.ms"] == "-1"


def test_a_topic_deleted_and_written_again_between_two_looks_is_noticed(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    history, reading = whole(session, kafka_servers), KafkaHistory(session, kafka_servers)
    history.add_user_message("old")
    assert len(reading.messages) == len(history.messages) == 1
    delete(admin, session)
    create(admin, session, retention_ms="-1")
    producer = Producer({"bootstrap.servers": kafka_servers, "log_level": 0})
    for text in ("new", "newer"):
        producer.produce(session, json.dumps({"type": "human", "data": {"content": text}}))
    producer.flush(20)

    assert texts(history) == ["new", "newer"]
    assert texts(reading) == ["new", "newer"]


def test_what_has_expired_is_seen_by_nobody(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    history = whole(session, kafka_servers)
    history.add_messages([HumanMessage("one", id="1"), HumanMessage("two", id="2")])
    history.add_messages([HumanMessage("three", id="3")])
    history.remove_messages(["3"])
    history.add_messages([HumanMessage("four", id="4")])
    assert texts(history) == ["one", "two", "four"]
    place = TopicPartition(session, 0, 1)
    admin.delete_records([place])[place].result()

    # Half of what was added at once is gone: the rest of it goes with it.
    assert texts(history) == texts_of_a_new_process(session, kafka_servers) == ["four"]
    history.add_messages([HumanMessage("again", id="1"), HumanMessage("no", id="3")])
    assert texts(history) == texts_of_a_new_process(session, kafka_servers) == ["four", "again"]


def test_messages_expire(session: str, own_kafka: KafkaBroker) -> None:
    history = whole(session, own_kafka.servers, ttl_ms=500)
    history.add_user_message("one")
    assert texts(history) == ["one"]
    end = time.monotonic() + 30
    while history.messages and time.monotonic() < end:
        time.sleep(0.1)

    assert history.messages == []


def texts_of_a_new_process(session: str, servers: str) -> list[str]:
    """What somebody reads who has read nothing before."""
    patience = 10 + time.monotonic() % 1  # histories that differ in it share nothing
    with whole(session, servers, patience=patience) as history:
        return texts(history)


def test_half_of_what_is_added_at_once_is_never_seen(
    session: str, kafka_servers: str, admin: AdminClient
) -> None:
    history = whole(session, kafka_servers)
    history.add_user_message("one")
    producer = Producer({"bootstrap.servers": kafka_servers, "log_level": 0})

    def write(batch: str, number: int) -> None:
        value = json.dumps({"type": "human", "data": {"content": f"{batch}{number}"}})
        key = f"{batch}{number}".encode()
        headers: Headers = [("history-key", key), ("history-batch", f"{batch}:{number}:3".encode())]
        producer.produce(session, value, partition=0, headers=headers)
        producer.flush(20)

    for batch, number in [("a", 0), ("b", 0), ("a", 1), ("b", 1)]:
        write(batch, number)
        assert texts(history) == ["one"]
    history.add_user_message("two")
    write("b", 2)

    assert texts(history) == ["one", "two", "b0", "b1", "b2"]
    assert texts_of_a_new_process(session, kafka_servers) == texts(history)
    history.add_messages([HumanMessage(f"a{number}", id=f"a{number}") for number in range(3)])
    assert texts(history)[-3:] == ["a0", "a1", "a2"]
