"""Where a Kafka cluster is, how one speaks to it, and how the topics made there shall be."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from streamlit_assistant.history.history_errors import BadAddress

DEFAULT_SERVERS = "localhost:9092"
DEFAULT_PORT = "9092"
PATIENCE = 10.0  # seconds
FOR_EVER = -1

_PREFIX = re.compile(r"[a-zA-Z0-9._-]{0,100}")
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:@/\[\]]+)(:\d{1,5})?")
# What this package decides: order, certainty and positions hang on it.
_OURS = {
    *(
        "bootstrap.servers",
        "group.id",
        "transactional.id",
        "enable.idempotence",
        "message.timeout.ms",
    ),
    *(
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "auto.offset.reset",
    ),
    *("request.required.acks", "isolation.level"),
}


@dataclass(frozen=True)
class TopicWishes:
    """What a topic is made with, if it is not there yet."""

    ttl_ms: int = FOR_EVER  # a lower bound: Kafka drops whole segments, every few minutes
    partition: int = 1  # how many; a session is always written to the first
    replication_factor: int = 1  # -1 is what the cluster has as its default

    def __post_init__(self) -> None:
        if self.ttl_ms != FOR_EVER and self.ttl_ms < 1:
            raise BadAddress("ttl_ms is a number of milliseconds, or -1 for ever")
        if self.partition < 1:
            raise BadAddress("partition is a number of partitions, at least 1")
        if self.replication_factor != -1 and self.replication_factor < 1:
            raise BadAddress(
                "replication_factor is a number of copies, or -1 for the cluster's own"
            )


@dataclass(frozen=True)
class KafkaAddress:
    """A cluster and what its users agree on. Its text never shows a password."""

    servers: str
    settings: tuple[tuple[str, Any], ...] = field(default=(), repr=False)  # librdkafka's
    wishes: TopicWishes = TopicWishes()
    topic_prefix: str = ""
    patience: float = PATIENCE  # seconds that a call waits for a cluster that is away

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.topic_prefix):
            raise BadAddress("topic_prefix is made of at most 100 letters, digits, '.', '_', '-'")
        if not self.patience > 0:
            raise BadAddress("patience is a number of seconds above 0")
        if taken := sorted(_OURS & {name for name, _value in self.settings}):
            raise BadAddress(f"{', '.join(taken)} cannot be set here")


def settings_of(config: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...]:
    """Return librdkafka's settings as a part of an address."""
    return tuple(sorted((config or {}).items()))


def servers_of(given: str | None) -> str:
    """Return a list of servers with their ports; without one, that of the environment."""
    listed = given or os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or DEFAULT_SERVERS
    servers = [server.strip() for server in listed.split(",")]
    matches = [_SERVER.fullmatch(server) for server in servers]
    if not all(matches):
        # Not what was given: nobody can tell where in a wrong address the password is.
        raise BadAddress("Kafka's servers are written as host:9092,host2:9092")
    return ",".join(
        server if match and match[2] else f"{server}:{DEFAULT_PORT}"
        for server, match in zip(servers, matches, strict=True)
    )


@lru_cache(maxsize=64)
def address_of(url: str) -> KafkaAddress:
    """Return what `kafka://[user:password@]host:9092[,host2:9092]/?option=value` says.

    Options: ttl_ms, partition, replication_factor, topic_prefix, patience, and librdkafka's
    settings, which have a dot in their names, such as `security.protocol=SASL_SSL`. Raises
    `BadAddress`.
    """
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        # Without its cause, which shows what may be a password.
        raise BadAddress("this is no address of Kafka; one is kafka://host:9092") from None
    if parts.scheme.lower() != "kafka" or parts.path not in ("", "/") or parts.fragment:
        raise BadAddress("an address of Kafka is kafka://host:9092[,host2:9092]/?option=value")
    userinfo, _, servers = parts.netloc.rpartition("@")
    settings = {**_signing_in(userinfo), **{k: v for k, v in options if "." in k}}
    own = {name: _own_option(name, value) for name, value in options if "." not in name}
    wishes = {name: own.pop(name) for name in _WISHES if name in own}
    return KafkaAddress(servers_of(servers), settings_of(settings), TopicWishes(**wishes), **own)


def _signing_in(userinfo: str) -> dict[str, str]:
    if not userinfo:
        return {}
    user, _, password = userinfo.partition(":")
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": unquote(user),
        "sasl.password": unquote(password),
    }


_WISHES: Mapping[str, Callable[[str], Any]] = {
    "ttl_ms": int,
    "partition": int,
    "replication_factor": int,
}
_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    **_WISHES,
    "topic_prefix": str,
    "patience": float,
}


def _own_option(name: str, value: str) -> Any:
    if name not in _OPTIONS:
        raise BadAddress(
            f"an address of Kafka has no option {name!r}; it has {', '.join(_OPTIONS)},"
            " and librdkafka's settings, which have a dot in their names"
        )
    try:
        return _OPTIONS[name](value)
    except ValueError as error:
        raise BadAddress(f"{name} must be a number") from error
