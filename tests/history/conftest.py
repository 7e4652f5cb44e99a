"""Servers for the histories, started once for all tests of a run."""

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.kafka_broker import KafkaBroker, kafka_broker
from tests.maven_jars import NoJars
from tests.redis_server import (
    INSTALL,
    RedisProgram,
    RedisServer,
    plain_redis,
    redis_server_of,
    redis_stack,
)


def missing(reason: str) -> NoReturn:
    """Skip a test; fail it where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_program() -> RedisProgram:
    """The Redis of this machine."""
    return plain_redis() or missing(f"Redis is missing: {INSTALL}")


@pytest.fixture(scope="session")
def redis_server(redis_program: RedisProgram) -> Iterator[RedisServer]:
    """A Redis without the query engine that all tests share; nobody stops it."""
    with redis_server_of(redis_program) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis without the query engine."""
    return redis_server.url


@pytest.fixture(scope="session")
def redis_stack_server() -> Iterator[RedisServer]:
    """A Redis Stack that all tests share; nobody stops it."""
    program = redis_stack()
    if isinstance(program, str):
        missing(program)
    with redis_server_of(program) as server:
        yield server


@pytest.fixture(scope="session")
def redis_stack_url(redis_stack_server: RedisServer) -> str:
    """The address of a Redis with the query engine."""
    return redis_stack_server.url


@pytest.fixture(scope="session")
def own_kafka() -> Iterator[KafkaBroker]:
    """A Kafka that all tests share; nobody stops it."""
    try:
        with kafka_broker() as broker:
            yield broker
    except NoJars as reason:
        missing(str(reason))


@pytest.fixture(scope="session")
def kafka_servers(request: pytest.FixtureRequest) -> str:
    """The servers of a Kafka: KAFKA_BOOTSTRAP, or one of our own."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    return given or str(request.getfixturevalue("own_kafka").servers)


@pytest.fixture(scope="session")
def kafka_url(kafka_servers: str) -> str:
    """The address of a Kafka."""
    return f"kafka://{kafka_servers}"
