"""A history in Kafka while brokers and processes are killed, and connections are refused."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from streamlit_assistant.history import open_history
from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import HistoryUnavailable
from streamlit_assistant.history.kafka_log import KafkaLog, log_at
from tests.history.conftest import missing
from tests.history.contract import texts
from tests.kafka_broker import PASSWORD, USER, KafkaBroker, kafka_broker
from tests.maven_jars import NoJars
from tests.start_process import ROOT, free_port

WRITERS = 4
LIMIT = 120  # seconds; nothing here takes nearly as long


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    """A Kafka that may be killed."""
    try:
        with kafka_broker() as broker:
            yield broker
    except NoJars as reason:
        missing(str(reason))


@pytest.fixture
def session() -> str:
    return f"session-{uuid4().hex}"


def log_of(broker: KafkaBroker, session: str, patience: float = 60) -> KafkaLog:
    return log_at(f"kafka://{broker.servers}/?patience={patience}", session)


def entries(writer: object, number: int) -> list[Entry]:
    """A question and its answer, which are added at once."""
    return [Entry(name, name, name) for name in (f"{writer} {number} q", f"{writer} {number} a")]


def check_written(bodies: list[str], writer: object, at_least: int, at_most: int) -> None:
    """What a writer has added is there once, in its order, and together."""
    mine = [body for body in bodies if body.startswith(f"{writer} ")]
    number = len(mine) // 2
    assert at_least <= number <= at_most
    assert mine == [entry.body for n in range(number) for entry in entries(writer, n)]
    assert all(b == a[:-1] + "a" for a, b in pairwise(bodies) if a.endswith("q"))


def until_done(log: KafkaLog, added: list[Entry]) -> None:
    """Add entries again and again, as whoever has an outbox does."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            return log.append(added)
        except HistoryUnavailable:
            assert time.monotonic() < deadline


def test_nothing_is_lost_or_doubled_when_the_broker_is_killed_in_mid_write(
    broker: KafkaBroker, session: str
) -> None:
    ended = threading.Event()
    written = [0] * WRITERS

    def write(writer: int) -> None:
        log = log_of(broker, session)
        while not ended.is_set():
            log.append(entries(writer, written[writer]))
            written[writer] += 1

    def wait_for_more() -> None:
        before, deadline = list(written), time.monotonic() + LIMIT
        while any(now < then + 10 for now, then in zip(written, before, strict=True)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, writer) for writer in range(WRITERS)]
        try:
            wait_for_more()
            broker.restart()
            wait_for_more()
        finally:
            ended.set()
        for one in writing:
            one.result(LIMIT)

    bodies = list(log_of(broker, session).read())
    assert len(bodies) == 2 * sum(written)
    for writer, number in enumerate(written):
        check_written(bodies, writer, number, number)


def test_a_broker_that_is_away_is_told_and_nothing_is_doubled_after_that(
    broker: KafkaBroker, session: str
) -> None:
    log, new = log_of(broker, session, 0.5), log_of(broker, f"{session}-new", 0.5)
    until_done(log, entries("before", 0))
    assert log.take(1) == ["before 0 q"]
    cleared = log_of(broker, f"{session}-cleared")
    cleared.append(entries("cleared", 0))
    cleared.clear()
    broker.stop()
    try:
        for ask in (
            lambda: log.append(entries("after", 0)),
            lambda: new.append(entries("new", 0)),
            lambda: log.read(),
            lambda: log.search(["after"], 1),
            lambda: log.remove(["after 0 q"]),
            lambda: log.clear(),
            lambda: log.take(1),
        ):
            began = time.monotonic()
            with pytest.raises(HistoryUnavailable, match=broker.servers):
                ask()
            assert time.monotonic() - began < 6
    finally:
        broker.start()
    for one, name in ((log, "after"), (new, "new")):
        until_done(one, entries(name, 0))

    assert log.take(1) == ["before 0 a"]  # where it was before
    for patience in (60, 61):  # who has read it before, and who has not
        assert list(log_of(broker, f"{session}-cleared", patience).read()) == []
    assert list(log.read()) == [e.body for e in entries("before", 0) + entries("after", 0)]
    assert list(new.read()) == [e.body for e in entries("new", 0)]


WRITER = """
import sys
from streamlit_assistant.history.kafka_log import log_at
from tests.history.test_kafka_faults import entries
log = log_at(sys.argv[1], sys.argv[2])
for number in range(int(sys.argv[3]), 10**9):
    log.append(entries("w", number))
    print(number, flush=True)
"""


def test_nothing_is_lost_or_doubled_when_the_writer_is_killed(
    broker: KafkaBroker, session: str
) -> None:
    url = f"kafka://{broker.servers}"
    done = -1
    for _ in range(3):
        arguments = [sys.executable, "-c", WRITER, url, session, str(done + 1)]
        with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(30):
                done = int(writer.stdout.readline())
            writer.kill()
            done = max([done, *(int(line) for line in writer.stdout if line.endswith("\n"))])

    bodies = list(log_of(broker, session).read())
    assert len(bodies) == len(set(bodies))
    check_written(bodies, "w", done + 1, done + 2)


def ran(program: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program; it must end by itself, and soon."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


TALK = """
import time, psutil
from langchain_core.messages import HumanMessage
from streamlit_assistant.history import KafkaHistory
from streamlit_assistant.history.history_errors import HistoryUnavailable
threads = psutil.Process().num_threads()
history = KafkaHistory({session!r}, {servers!r}, patience={patience})
try:
    history.add_messages([HumanMessage("one"), HumanMessage("two")])
    print(len(history.messages))
except HistoryUnavailable:
    print("away")
began = time.monotonic()
{close}
assert {close!r} == "" or psutil.Process().num_threads() == threads
assert time.monotonic() - began < 3
"""


@pytest.mark.parametrize("close", ["history.close()", ""])
def test_a_process_ends_quietly_and_leaves_no_thread(
    broker: KafkaBroker, session: str, close: str
) -> None:
    done = ran(TALK.format(session=session, servers=broker.servers, patience=30, close=close))

    assert (done.stderr, done.stdout, done.returncode) == ("", "2\n", 0)


def test_a_process_ends_quietly_without_a_broker(session: str) -> None:
    servers = f"127.0.0.1:{free_port()}"
    done = ran(TALK.format(session=session, servers=servers, patience=0.5, close="history.close()"))

    assert (done.stderr, done.stdout, done.returncode) == ("", "away\n", 0)


FORK = """
import os, sys
from langchain_core.messages import HumanMessage
from streamlit_assistant.history import KafkaHistory
history = KafkaHistory({session!r}, {servers!r}, messages_from="beginning")
history.add_user_message("parent")
assert len(history.messages) == 1
for _ in range(2):
    child = os.fork()
    if not child:
        history.add_user_message("child")
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
history.add_user_message("parent")
print(*[message.content for message in history.messages])
"""


def test_a_forked_process_uses_connections_of_its_own(broker: KafkaBroker, session: str) -> None:
    done = ran(FORK.format(session=session, servers=broker.servers))

    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "parent child child parent\n"


def signed_url(broker: KafkaBroker, password: str, **options: Any) -> str:
    further = "".join(f"&{name}={value}" for name, value in options.items())
    return (
        f"kafka://{USER}:{quote(password, safe='')}@{broker.signed_servers}"
        f"/?security.protocol=SASL_PLAINTEXT{further}"
    )


def test_whoever_has_the_password_gets_in(broker: KafkaBroker, session: str) -> None:
    history = open_history(signed_url(broker, PASSWORD), session)
    history.add_user_message("one")

    assert texts(history) == ["one"]


def test_a_wrong_password_is_told_and_not_shown(
    broker: KafkaBroker, session: str, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "wr0ng/pass"
    history = open_history(signed_url(broker, wrong, patience=1), session)
    for ask in (history.clear, lambda: history.messages, lambda: history.add_user_message("x")):
        with pytest.raises(HistoryUnavailable, match=r"(?i)authentication") as caught:
            ask()
        assert wrong not in str(caught.value) + repr(caught.value.__cause__)
    assert capfd.readouterr() == ("", "")
