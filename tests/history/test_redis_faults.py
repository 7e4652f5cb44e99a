"""A Redis that dies, hangs, refuses, or is not there."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from langchain_core.messages import HumanMessage

from streamlit_assistant.history import RedisHistory
from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import (
    HistoryError,
    HistoryUnavailable,
    MessageRefused,
)
from streamlit_assistant.history.redis_address import RedisAddress
from streamlit_assistant.history.redis_log import RedisLog
from tests.history.contract import texts
from tests.history.redis_sessions import TINY, RedisSessions
from tests.redis_server import RedisProgram, RedisServer, redis_server_of, redis_stack
from tests.start_process import free_port

PASSWORD = "pass:w@rd/1"
QUOTED = "pass%3Aw%40rd%2F1"


@pytest.fixture(scope="module", params=["plain", "stack"])
def mortal(request: pytest.FixtureRequest, redis_program: RedisProgram) -> Iterator[RedisServer]:
    """A server of these tests' own, which they may do anything to."""
    if request.param == "stack":
        request.getfixturevalue("redis_stack_server")  # skips or fails where there is none
        program = redis_stack()
        assert isinstance(program, RedisProgram)
    else:
        program = redis_program
    with redis_server_of(program) as server:
        yield server


def test_nothing_is_lost_or_doubled_by_a_server_that_is_killed_in_mid_write(
    mortal: RedisServer,
) -> None:
    sessions = RedisSessions(mortal, TINY)
    stop, written = threading.Event(), [0] * 4

    def write(writer: int) -> None:
        history = sessions.history("killed")
        while not stop.is_set():
            pair = [f"{writer} {written[writer]} {kind}" for kind in "qa"]
            history.add_messages([HumanMessage(text, id=text) for text in pair])
            written[writer] += 1  # it has returned: from now on it must never be lost

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, writer) for writer in range(4)]
        for _ in range(3):
            reached = sum(written)
            while sum(written) < reached + 60:
                assert not any(one.done() for one in writers)
                time.sleep(0.01)
            mortal.restart()
        stop.set()
        for one in writers:
            one.result()

    said = texts(sessions.history("killed"))
    assert len(said) == len(set(said)) == 2 * sum(written)
    for writer, number in enumerate(written):
        mine = [text for text in said if text.startswith(f"{writer} ")]
        assert mine == [f"{writer} {n} {kind}" for n in range(number) for kind in "qa"]
    assert all(b == a[:-1] + "a" for a, b in pairwise(said) if a.endswith("q"))
    newest = [text for text in said if "3" in text and "q" in text][::-1]
    found = sessions.history("killed").search_messages("q 3", len(said))
    assert [message.content for message in found] == newest


def test_a_write_waits_for_a_server_that_comes_back(mortal: RedisServer) -> None:
    sessions = RedisSessions(mortal)
    history = sessions.history("patient")
    history.add_user_message("before")
    mortal.kill()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(history.add_user_message, "while it was away")
        time.sleep(0.3)
        assert not waiting.done()
        mortal.start()
        waiting.result(10)

    assert texts(history) == ["before", "while it was away"]


def test_scripts_that_a_server_forgot_are_sent_again(mortal: RedisServer) -> None:
    history = RedisSessions(mortal).history("forgetful")
    history.add_user_message("one")
    with mortal.client() as client:
        client.script_flush()
    history.add_user_message("two")

    assert texts(history) == ["one", "two"]


def calls(history: RedisHistory) -> list[object]:
    return [
        lambda: history.messages,
        lambda: history.add_user_message("x"),
        lambda: history.search_messages("x"),
        lambda: history.remove_messages(["x"]),
        history.clear,
    ]


@pytest.mark.parametrize("call", range(5))
def test_a_server_that_is_not_there_is_said_to_be_away(call: int) -> None:
    url = f"redis://someone:{QUOTED}@127.0.0.1:{free_port()}/0"
    started = time.monotonic()
    with (
        RedisHistory("s", url, patience=0.2) as history,
        pytest.raises(
            HistoryUnavailable, match=r"Redis at 127.0.0.1:\d+/0 does not answer"
        ) as caught,
    ):
        calls(history)[call]()  # type: ignore[operator]

    assert time.monotonic() - started < 5
    assert caught.value.__cause__ is not None


def test_a_server_that_says_nothing_is_given_up_in_time(mortal: RedisServer) -> None:
    with RedisSessions(mortal, patience=1).history("silent") as history:
        history.add_user_message("before")
        with mortal.frozen():
            started = time.monotonic()
            with pytest.raises(HistoryUnavailable, match="does not answer"):
                history.add_messages([HumanMessage("during", id="during")])
            assert 0.9 < time.monotonic() - started < 5
        # It may have been written all the same; to write it again is safe.
        history.add_messages([HumanMessage("during", id="during")])
        assert texts(history) == ["before", "during"]


@pytest.fixture
def guarded(redis_program: RedisProgram) -> Iterator[RedisServer]:
    """A server with a password and a user who may only read."""
    users = (f"user default on >{PASSWORD} ~* +@all", f"user reader on >{PASSWORD} ~* +@read")
    options = [part for user in users for part in ("--user", *user.split()[1:])]
    with redis_server_of(redis_program, *options) as server:
        yield server


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("", "user name or password"),
        (":wrong@", "user name or password"),
        (f"nobody:{QUOTED}@", "user name or password"),
        (f"reader:{QUOTED}@", "does not allow"),
    ],
)
def test_a_server_that_refuses_a_user_says_so_at_once(
    guarded: RedisServer, user: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"redis://{user}127.0.0.1:{guarded.port}/0"
    started = time.monotonic()
    with (
        RedisHistory("s", url) as history,
        pytest.raises(HistoryError, match=told) as caught,
    ):
        history.add_user_message("x")

    assert time.monotonic() - started < 5
    assert not isinstance(caught.value, HistoryUnavailable)
    for secret in (PASSWORD, QUOTED, "wrong"):
        shown = f"{caught.value!r} {caught.value} {RedisAddress.of(url)!r} {caplog.text}"
        assert secret not in shown


def test_the_right_password_is_taken(guarded: RedisServer) -> None:
    with RedisHistory("s", f"redis://:{QUOTED}@127.0.0.1:{guarded.port}/0") as history:
        history.add_user_message("x")
        assert texts(history) == ["x"]


def test_what_somebody_else_keeps_under_the_name_is_left_alone(mortal: RedisServer) -> None:
    for part in range(4):
        sessions = RedisSessions(mortal)
        name = sessions.keys("taken").all[part]
        with mortal.client() as client:
            client.sadd(name, "theirs")
            with pytest.raises(HistoryError, match="something else"):
                sessions.history("taken").add_user_message("x")
            assert sessions.names() == [name]


def test_a_server_without_memory_takes_nothing_half(mortal: RedisServer) -> None:
    history = RedisSessions(mortal).history("full")
    history.add_user_message("before")
    with mortal.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(HistoryUnavailable, match="memory"):
            history.add_messages([HumanMessage("x", id="x"), HumanMessage("y", id="y")])
        assert texts(history) == ["before"]
        client.config_set("maxmemory", "0")
    history.add_messages([HumanMessage("x", id="x"), HumanMessage("y", id="y")])
    assert texts(history) == ["before", "x", "y"]


def test_a_copy_that_cannot_be_written_to_says_so_and_can_be_read(mortal: RedisServer) -> None:
    history = RedisSessions(mortal).history("copy")
    history.add_user_message("before")
    with mortal.client() as client:
        client.config_set("min-replicas-to-write", "0")
        client.execute_command("REPLICAOF", "127.0.0.1", mortal.port)
        try:
            with pytest.raises(HistoryUnavailable, match="copy"):
                history.add_user_message("x")
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")
    history.add_user_message("after")
    assert texts(history) == ["before", "after"]


def test_what_is_no_text_is_refused(redis_url: str) -> None:
    log = RedisLog("no text", RedisAddress.of(redis_url))
    with pytest.raises(MessageRefused):
        log.append([Entry("k", "half \ud83d pair", "text")])

    assert log.read() == []
    log.close()
