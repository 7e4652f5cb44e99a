"""Redis as a history: what all histories do, and what only this one can be told."""

import time
from collections.abc import Sequence

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from redis.crc import key_slot

from streamlit_assistant.history import RedisHistory, open_history
from streamlit_assistant.history.addresses import open_log
from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.redis_log import Sizes
from tests.history.contract import HistoryContract, texts
from tests.history.redis_sessions import TINY, RedisSessions
from tests.redis_server import RedisServer


class TestPlainRedis(HistoryContract):
    @pytest.fixture
    def store(self, redis_server: RedisServer) -> RedisSessions:
        return RedisSessions(redis_server)


class TestPlainRedisInSmallSteps(HistoryContract):
    @pytest.fixture
    def store(self, redis_server: RedisServer) -> RedisSessions:
        return RedisSessions(redis_server, TINY)


class TestRedisStack(HistoryContract):
    @pytest.fixture
    def store(self, redis_stack_server: RedisServer) -> RedisSessions:
        return RedisSessions(redis_stack_server, index_name=None)


class TestRedisStackInSmallSteps(HistoryContract):
    @pytest.fixture
    def store(self, redis_stack_server: RedisServer) -> RedisSessions:
        return RedisSessions(redis_stack_server, TINY)


class TestRedisThatSpeaksTheOldProtocol(HistoryContract):
    @pytest.fixture
    def store(self, redis_stack_server: RedisServer) -> RedisSessions:
        sessions = RedisSessions(redis_stack_server, TINY)
        sessions.server = OldProtocol(redis_stack_server)
        return sessions


class OldProtocol(RedisServer):
    """A server that clients are to speak RESP2 with."""

    def __init__(self, server: RedisServer) -> None:
        self.port = server.port

    @property
    def url(self) -> str:
        return f"{super().url}?protocol=2"


@pytest.fixture
def sessions(redis_server: RedisServer) -> RedisSessions:
    return RedisSessions(redis_server)


def lifetimes(sessions: RedisSessions) -> list[int]:
    """Milliseconds that everything of a test has left; -1 for ever."""
    with sessions.server.client() as client:
        return [int(client.pttl(name)) for name in sessions.names()]


def said(number: int) -> list[HumanMessage]:
    return [HumanMessage(f"number {n} of a few words", id=f"m{n}") for n in range(number)]


def test_without_a_time_to_live_a_session_stays(sessions: RedisSessions) -> None:
    sessions.history("stays").add_messages(said(3))

    assert set(lifetimes(sessions)) == {-1}


@pytest.mark.parametrize("server", ["redis_server", "redis_stack_server"])
def test_every_write_renews_the_time_of_the_whole_session(
    server: str, request: pytest.FixtureRequest
) -> None:
    sessions = RedisSessions(request.getfixturevalue(server), TINY, ttl=100)
    history = sessions.history("renewed")
    history.add_messages(said(20))
    assert len(sessions.names()) >= 4
    with sessions.server.client() as client:
        for name in sessions.names():
            client.pexpire(name, 60_000)
    history.add_messages([HumanMessage("one more")])

    keys = sessions.keys("renewed").all
    with sessions.server.client() as client:
        left = {name: int(client.pttl(name)) for name in keys}
        assert all(client.exists(name) == 0 or left[name] > 90_000 for name in keys)


@pytest.mark.parametrize("server", ["redis_server", "redis_stack_server"])
def test_nothing_outlives_the_session_whoever_writes_to_it(
    server: str, request: pytest.FixtureRequest
) -> None:
    sessions = RedisSessions(request.getfixturevalue(server), TINY, ttl=100)
    sessions.history("shared").add_messages(said(2))
    careless = RedisSessions(sessions.server, TINY, key_prefix=sessions.options["key_prefix"])
    for number in range(20):
        careless.history("shared").add_user_message(f"number {number} of the careless one")

    keys = set(sessions.keys("shared").all)
    with sessions.server.client() as client:
        left = [int(client.pttl(name)) for name in keys & set(sessions.names())]
        assert len(left) >= 3
        assert all(0 < each <= 100_000 for each in left)
    assert min(lifetimes(sessions)) > 0  # also of what the query engine was told


def test_a_write_that_adds_nothing_renews_too(redis_server: RedisServer) -> None:
    sessions = RedisSessions(redis_server, ttl=100)
    history = sessions.history("repeated")
    history.add_messages(said(2))
    with redis_server.client() as client:
        for name in sessions.names():
            client.pexpire(name, 60_000)
    history.add_messages(said(2))

    assert min(lifetimes(sessions)) > 90_000
    assert len(history.messages) == 2


@pytest.mark.parametrize("server", ["redis_server", "redis_stack_server"])
def test_a_session_vanishes_whole_and_may_begin_anew(
    server: str, request: pytest.FixtureRequest
) -> None:
    sessions = RedisSessions(request.getfixturevalue(server), TINY, ttl=0.3)
    history = sessions.history("short")
    history.add_messages(said(30))
    while history.messages:
        time.sleep(0.02)

    assert history.search_messages("number") == []
    history.add_messages([HumanMessage("anew", id="m1")])
    assert texts(history) == [m.content for m in history.search_messages("anew")] == ["anew"]
    while sessions.names():  # also what the query engine was told
        time.sleep(0.02)


def test_what_describes_a_session_outlives_it_by_no_more_than_its_time(
    redis_stack_server: RedisServer,
) -> None:
    sessions = RedisSessions(redis_stack_server, TINY, ttl=100)
    history = sessions.history("described")
    history.add_messages(said(30))
    described = [name for name in sessions.names() if "~" in name]
    assert len(described) > 5
    with redis_stack_server.client() as client:
        assert all(100_000 < int(client.pttl(n)) <= 200_000 for n in described)
        # As if a long time had passed.
        client.hset(sessions.keys("described").known, "\0until", "1")
        for name in described:
            client.pexpire(name, 1000)
        history.add_messages([HumanMessage("late")])
        assert all(100_000 < int(client.pttl(n)) <= 200_000 for n in described)


def test_sessions_under_other_prefixes_are_strangers(redis_server: RedisServer) -> None:
    one, other = RedisSessions(redis_server), RedisSessions(redis_server)
    one.history("same").add_user_message("mine")

    assert texts(other.history("same")) == []
    other.history("same").clear()
    assert texts(one.history("same")) == ["mine"]


@pytest.mark.parametrize("server", ["redis_server", "redis_stack_server"])
def test_nothing_is_left_of_what_was_cleared(server: str, request: pytest.FixtureRequest) -> None:
    sessions = RedisSessions(request.getfixturevalue(server), TINY)
    history = sessions.history("to clear")
    history.add_messages(said(30))
    assert len(sessions.names()) >= 3
    history.clear()

    assert sessions.names() == []


NASTY = (
    "",
    "%",
    "{",
    "}",
    "{}",
    "a}:m",
    "a{b",
    "a:b",
    "a%7B",
    "a b\n",
    "~",
    "中",
    "a}{a",
    "*",
    "?",
)


def test_names_of_any_letters_are_kept_apart(sessions: RedisSessions) -> None:
    for name in NASTY:
        sessions.history(name).add_user_message(f"of {name}")

    assert [texts(sessions.history(name)) for name in NASTY] == [[f"of {name}"] for name in NASTY]


@pytest.mark.parametrize("name", NASTY)
def test_a_cluster_keeps_a_session_in_one_place(sessions: RedisSessions, name: str) -> None:
    keys = sessions.keys(name)

    assert len({key_slot(key.encode()) for key in (*keys.all, f"{keys.described}7")}) == 1


def test_the_address_may_come_from_the_environment(
    sessions: RedisSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", sessions.server.url)
    RedisHistory("from REDIS_URL", **sessions.options).add_user_message("here")

    assert texts(sessions.history("from REDIS_URL")) == ["here"]


def test_options_in_the_address_count(redis_server: RedisServer) -> None:
    sessions = RedisSessions(redis_server)
    prefix = sessions.options["key_prefix"]
    url = f"{redis_server.url}?key_prefix={prefix}&ttl=100&patience=3&socket_timeout=2"
    open_history(url, "by address").add_messages([HumanMessage("here")])
    open_log(url, "by address").append([Entry("k", '{"type":"ai","data":{"content":"x"}}', "x")])

    assert texts(sessions.history("by address")) == ["here", "x"]
    assert all(90_000 < left <= 100_000 for left in lifetimes(sessions))


def test_histories_share_their_connections(redis_server: RedisServer) -> None:
    prefix = RedisSessions(redis_server).options["key_prefix"]
    url = f"{redis_server.url}?client_name={prefix.strip(':')}"
    with redis_server.client() as client:

        def connections() -> int:
            clients: Sequence[dict[str, str]] = client.client_list()
            return [one["name"] for one in clients].count(prefix.strip(":"))

        histories = [RedisHistory(f"s{n}", url, prefix) for n in range(200)]
        assert connections() == 0  # to make one connects to nothing
        for history in histories:
            history.add_user_message("hello")
        assert connections() == 1
        for history in histories:
            history.close()
            history.close()
        deadline = time.monotonic() + 10
        while connections():  # the server notices in its own time
            assert time.monotonic() < deadline


def test_a_thousand_messages_of_one_call_stay_together_in_blocks(sessions: RedisSessions) -> None:
    history = sessions.history("thousands")
    history.add_messages([AIMessage(f"answer {n}", id=f"m{n}") for n in range(2500)])
    history.add_messages([AIMessage(f"answer {n}", id=f"m{n}") for n in range(2600)])

    assert texts(history) == [f"answer {n}" for n in range(2600)]
    with sessions.server.client() as client:
        blocks = client.lrange(sessions.keys("thousands").blocks, 0, -1)
    assert max(map(len, blocks)) < Sizes().block + 100


@pytest.mark.parametrize("part", range(4))
def test_a_server_that_threw_a_part_away_still_works(
    sessions: RedisSessions, part: int, redis_stack_server: RedisServer
) -> None:
    for here in (RedisSessions(sessions.server, TINY), RedisSessions(redis_stack_server, TINY)):
        history = here.history("evicted")
        history.add_messages(said(31))
        with here.server.client() as client:
            client.delete(here.keys("evicted").all[part])
        kept = texts(history)
        assert kept in ([], [m.content for m in said(31)])

        history.search_messages("number", 50)  # finds what it can
        history.remove_messages(["m3"])
        history.add_messages([HumanMessage(f"new word {n}", id=f"new{n}") for n in range(40)])
        new = [f"new word {n}" for n in range(40)]
        assert texts(history)[-40:] == new
        assert [m.content for m in history.search_messages("new", 50)] == new[::-1]
        history.clear()
        assert texts(history) == []
