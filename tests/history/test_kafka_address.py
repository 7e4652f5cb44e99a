"""Addresses of Kafka, and what needs no broker."""

import threading
from collections.abc import Callable

import pytest

from streamlit_assistant.history import KafkaHistory
from streamlit_assistant.history.addresses import check_address, open_history
from streamlit_assistant.history.history_errors import BadAddress
from streamlit_assistant.history.kafka_address import TopicWishes, address_of, servers_of
from streamlit_assistant.history.kafka_log import log_at
from streamlit_assistant.history.kafka_transcript import Transcripts

SECRET = "s3cret"


def test_an_address_says_everything() -> None:
    address = address_of(
        "kafka://me:s%40cret@one:19092,two,[::1]/?ttl_ms=5000&partition=3&replication_factor=-1"
        "&topic_prefix=chat.&patience=2.5&sasl.mechanism=SCRAM-SHA-256&client.id=a%26b"
    )

    assert address.servers == "one:19092,two:9092,[::1]:9092"
    assert address.wishes == TopicWishes(5000, 3, -1)
    assert (address.topic_prefix, address.patience) == ("chat.", 2.5)
    assert dict(address.settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "me",
        "sasl.password": "s@cret",
        "client.id": "a&b",
    }


def test_what_is_not_said_is_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    address = address_of("kafka://one")

    assert (address.wishes, address.settings) == (TopicWishes(-1, 1, 1), ())
    assert servers_of(None) == "localhost:9092"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "three:1, four")
    assert servers_of(None) == "three:1,four:9092"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kafka://one/?ttl=5", "'ttl'.*ttl_ms, partition.*a dot in their names"),
        ("kafka://one/?ttl_ms=soon", "ttl_ms must be a number"),
        ("kafka://one/?ttl_ms=0", "-1 for ever"),
        ("kafka://one/?partition=0", "at least 1"),
        ("kafka://one/?replication_factor=0", "number of copies"),
        ("kafka://one/?patience=0", "above 0"),
        ("kafka://one/?patience=nan", "above 0"),
        ("kafka://one/?topic_prefix=a/b", "topic_prefix"),
        ("kafka://one/?partition", "kafka://host:9092"),
        ("kafka://one/topic", "kafka://host:9092"),
        ("kafka://one:port", "host:9092,host2:9092"),
        ("kafka://one,,two", "host:9092,host2:9092"),
        ("kafka://[::1", "address"),
        ("kafka://one/?enable.idempotence=false", "enable.idempotence cannot be set"),
        ("kafka://one/?no.such.setting=1", "No such configuration property"),
        ("kafka://one/?security.protocol=NONE", "security.protocol"),
    ],
)
@pytest.mark.parametrize("opened", [check_address, lambda url: open_history(url, "s")])
def test_a_wrong_address_is_refused_with_what_is_right(
    opened: Callable[[str], object], url: str, said: str
) -> None:
    signed = url.replace("://", f"://me:{SECRET}@")
    with pytest.raises(BadAddress, match=said) as caught:
        opened(signed)

    assert SECRET not in str(caught.value) + repr(caught.value.__cause__)


def test_a_right_address_is_accepted_and_nobody_is_asked() -> None:
    check_address("kafka://nowhere.invalid/?security.protocol=SSL&ttl_ms=-1")
    logs = [log_at("kafka://nowhere.invalid/", f"session {number}") for number in range(1000)]

    for log in logs:
        log.close()


def test_no_text_shows_a_password() -> None:
    address = address_of(f"kafka://me:{SECRET}@one")
    with KafkaHistory("s", "one", config=dict(address.settings)) as history:
        assert SECRET not in repr(address) + str(address) + repr(history)


def test_histories_of_one_address_share_its_connections() -> None:
    with KafkaHistory("a", "one"), KafkaHistory("b", "one:9092"):
        count = threading.active_count()
        clusters = {id(log_at("kafka://one", str(number))._cluster) for number in range(3)}
    assert len(clusters) == 1
    assert threading.active_count() == count


def test_what_was_read_longest_ago_makes_room_in_memory() -> None:
    kept = Transcripts(limit=10_000)
    first, second = kept.of(("first",)), kept.of(("second",))
    first.size = second.size = 4_000
    kept.weigh(("first",), first)
    kept.weigh(("second",), second)
    assert kept.of(("first",)) is first
    third = kept.of(("third",))
    third.size = 4_000
    kept.weigh(("third",), third)

    assert kept.of(("first",)) is first
    assert kept.of(("third",)) is third
    assert kept.of(("second",)) is not second


def test_a_transcript_that_fills_the_memory_is_not_kept() -> None:
    kept = Transcripts(limit=10_000)
    small, large = kept.of(("small",)), kept.of(("large",))
    kept.weigh(("small",), small)
    large.size = 20_000
    kept.weigh(("large",), large)

    assert kept.of(("large",)) is not large
