"""Stores for copies, real ones."""

from collections.abc import Iterator

import pytest

from tests.history.conftest import missing
from tests.kafka_broker import KafkaBroker, kafka_broker
from tests.maven_jars import NoJars
from tests.redis_server import INSTALL, RedisServer, plain_redis, redis_server_of


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A Redis that no test kills."""
    program = plain_redis() or missing(f"Redis is missing: {INSTALL}")
    with redis_server_of(program) as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that the test may kill; what it has confirmed is kept."""
    program = plain_redis() or missing(f"Redis is missing: {INSTALL}")
    with redis_server_of(program) as server:
        yield server


@pytest.fixture(scope="session")
def own_kafka() -> Iterator[KafkaBroker]:
    """A Kafka that these tests share, and that one of them kills and starts again."""
    try:
        with kafka_broker() as broker:
            yield broker
    except NoJars as reason:
        missing(str(reason))
