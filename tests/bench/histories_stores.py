"""The stores in which histories are compared, each with LangChain's class for it and ours."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamlit.testing.v1 import AppTest

from streamlit_assistant.history import RedisHistory, SQLHistory, StreamlitHistory
from tests.bench.histories_sides import (
    KafkaOfLangChain,
    Ours,
    OursInKafka,
    RedisOfLangChain,
    Side,
    SQLOfLangChain,
    StreamlitChatMessageHistory,
)
from tests.kafka_broker import kafka_broker
from tests.postgres import postgres_server
from tests.redis_server import RedisProgram, RedisServer, plain_redis, redis_server_of, redis_stack

LONGEST_SCRIPT = 300.0  # seconds
IN_MEMORY = ("--appendonly", "no")  # what it costs to be safe from power cuts is not ours


def anywhere(work: Callable[[], None]) -> None:
    """Do it here."""
    work()


def in_a_script(work: Callable[[], None]) -> None:
    """Do it in a script that Streamlit runs."""
    page = AppTest.from_string("import streamlit as st\nst.session_state['work']()")
    page.session_state["work"] = work
    page.run(timeout=LONGEST_SCRIPT)
    assert not page.exception, page.exception[0].stack_trace


@dataclass(frozen=True)
class Versus:
    """A store, and who is compared in it."""

    title: str
    ours: Side
    theirs: Side | None = None
    within: Callable[[Callable[[], None]], None] = anywhere

    @property
    def sides(self) -> list[Side]:
        """Who takes turns."""
        return [side for side in (self.theirs, self.ours) if side is not None]


@contextmanager
def sqlite() -> Iterator[Versus]:
    """An SQLite file for each side."""
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = (f"sqlite:///{Path(folder) / name}" for name in ("theirs.db", "ours.db"))
        yield Versus("SQLite", Ours(lambda name: SQLHistory(name, ours)), SQLOfLangChain(theirs))


@contextmanager
def postgresql() -> Iterator[Versus]:
    """A PostgreSQL that makes sure of what it writes, with a database for each side."""
    with postgres_server(careless=False) as server:
        theirs, ours = server.new_database(), server.new_database()
        with_psycopg = theirs.replace("postgresql://", "postgresql+psycopg://")
        yield Versus(
            "PostgreSQL", Ours(lambda name: SQLHistory(name, ours)), SQLOfLangChain(with_psycopg)
        )


@contextmanager
def redis() -> Iterator[Versus]:
    """A Redis Stack, which LangChain's class needs."""
    program = redis_stack()
    assert isinstance(program, RedisProgram), program
    with redis_server_of(program, *IN_MEMORY) as server:
        yield Versus("Redis Stack", _ours_in(server), RedisOfLangChain(server.url))


@contextmanager
def bare_redis() -> Iterator[Versus]:
    """A Redis as Debian has it, without the query engine."""
    program = plain_redis()
    assert program is not None, "Redis is missing"
    with redis_server_of(program, *IN_MEMORY) as server:
        yield Versus("Redis 7", _ours_in(server))


def _ours_in(server: RedisServer) -> Side:
    return Ours(lambda name: RedisHistory(name, server.url, key_prefix="ours:"))


@contextmanager
def kafka() -> Iterator[Versus]:
    """A broker that lets groups in at once; its default costs LangChain's class 3 s a look."""
    with kafka_broker(group_initial_rebalance_delay_ms="0") as broker:
        yield Versus("Kafka", OursInKafka(broker.servers), KafkaOfLangChain(broker.servers))


@contextmanager
def streamlit() -> Iterator[Versus]:
    """The session of a script."""
    yield Versus(
        "Streamlit session",
        Ours(lambda name: StreamlitHistory(key=f"ours {name}")),
        Side(lambda name: StreamlitChatMessageHistory(key=f"theirs {name}")),
        in_a_script,
    )


STORES: Mapping[str, Callable[[], AbstractContextManager[Versus]]] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
    "redis": redis,
    "bare-redis": bare_redis,
    "kafka": kafka,
    "streamlit": streamlit,
}
