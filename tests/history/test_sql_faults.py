"""What an SQL history does when its database is away, full, locked, or somebody else's."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from langchain_core.messages import HumanMessage

from streamlit_assistant.history import SQLHistory
from streamlit_assistant.history.history_errors import HistoryUnavailable
from streamlit_assistant.history.sql_log import log_at
from tests.history.sql_writer import check_written, entries
from tests.postgres import Postgres, postgres_server
from tests.start_process import ROOT, free_port

WRITERS = 4
SOON = 3.0  # seconds in which a history of one second's patience has given up, on a busy machine


@pytest.fixture(scope="module")
def mortal(postgres: Postgres) -> Iterator[Postgres]:
    """A PostgreSQL that may be killed."""
    assert postgres
    with postgres_server() as server:
        yield server


class Crowd:
    """Threads that write to one history until they are told to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.written = dict.fromkeys((f"writer{number}" for number in range(WRITERS)), 0)

    def write(self, writer: str) -> None:
        log = log_at(self._url, "crowd")
        while not self._over.is_set():
            log.append(entries(writer, self.written[writer]))
            self.written[writer] += 1

    def wait_for_more(self, count: int = 10) -> None:
        """Wait until everybody has written more."""
        before = dict(self.written)
        deadline = time.monotonic() + 60
        while any(self.written[writer] < before[writer] + count for writer in before):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self._over.set()


def crash(server: Postgres, url: str) -> None:
    """Kill a process of the server that works for us: it throws everybody out, and recovers."""
    found = server.run(
        "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query LIKE %s",
        *(url.rpartition("/")[2], "%history_messages%"),
    )
    os.kill(found[0][0], signal.SIGKILL)


def test_nothing_is_lost_or_doubled_when_postgresql_is_killed_in_mid_write(
    mortal: Postgres,
) -> None:
    url = mortal.new_database()
    crowd = Crowd(f"{url}?patience=60")
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(crowd.write, writer) for writer in crowd.written]
        try:
            for hit in (
                mortal.restart,
                lambda: mortal.hang_up(url),
                mortal.restart,
                lambda: crash(mortal, url),
            ):
                crowd.wait_for_more()
                hit()
            crowd.wait_for_more()
        finally:
            crowd.stop()
        for done in writing:
            done.result()

    bodies = log_at(url, "crowd").read()
    check_written(bodies, crowd.written)
    assert len(bodies) == 2 * sum(crowd.written.values())


def test_what_was_read_before_a_restart_is_read_after_it(mortal: Postgres) -> None:
    history = SQLHistory("s", mortal.new_database())
    history.add_messages([HumanMessage("one"), HumanMessage("two")])
    mortal.restart()

    assert [m.content for m in history.messages] == ["one", "two"]
    mortal.restart()
    assert [m.content for m in history.search_messages("one")] == ["one"]
    mortal.restart()
    history.clear()
    assert history.messages == []


def test_a_frozen_server_is_not_waited_for(mortal: Postgres) -> None:
    url = mortal.new_database()
    history = SQLHistory("s", f"{url}?patience=1")
    history.add_user_message("one")
    find = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
    (pid,) = mortal.run(find, url.rpartition("/")[2])[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(HistoryUnavailable, match="does not answer"):
            history.add_user_message("two")
        assert time.monotonic() - started < SOON
    finally:
        os.kill(pid, signal.SIGCONT)

    assert history.messages[0].content == "one"


def test_what_was_written_after_its_writer_gave_up_is_not_doubled(postgres_url: str) -> None:
    log = log_at(postgres_url, "s")
    log.append(entries("w", 0))
    with psycopg.connect(postgres_url) as other:
        other.execute("UPDATE history_sessions SET last_seq = last_seq")
        with pytest.raises(HistoryUnavailable, match="does not answer"):
            log_at(f"{postgres_url}?patience=1", "s").append(entries("w", 1))
    # Now that nothing is in its way, the server writes what nobody waits for any more.
    deadline = time.monotonic() + 20
    while len(log.read()) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    log.append(entries("w", 1))

    check_written(log.read(), {"w": 2})


def test_a_host_that_is_not_there_is_given_up_in_time() -> None:
    url = f"postgresql://me:s%65cret@127.0.0.1:{free_port()}/d?patience=0.5"
    started = time.monotonic()
    with pytest.raises(HistoryUnavailable) as told:
        SQLHistory("s", url).add_user_message("one")

    assert time.monotonic() - started < SOON
    assert "d at 127.0.0.1:" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_host_that_takes_and_never_speaks_is_given_up_in_time() -> None:
    listener = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import socket, time; s = socket.create_server(('127.0.0.1', 0));"
            "print(s.getsockname()[1], flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert listener.stdout is not None
        port = int(listener.stdout.readline())
        started = time.monotonic()
        with pytest.raises(HistoryUnavailable):
            SQLHistory("s", f"postgresql://127.0.0.1:{port}/d", patience=1).clear()
        assert time.monotonic() - started < SOON
    finally:
        listener.kill()
        listener.communicate()


def test_whoever_is_not_let_in_is_told_at_once(postgres: Postgres) -> None:
    missing = postgres.url("nowhere").replace("@", ":secret@")
    started = time.monotonic()
    with pytest.raises(HistoryUnavailable, match='"nowhere" does not exist') as told:
        SQLHistory("s", missing, patience=30).add_user_message("one")

    assert time.monotonic() - started < SOON
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TABLE history_messages (id integer, message text)",
        "CREATE TABLE history_sessions (id text PRIMARY KEY, owner text NOT NULL)",
        "CREATE TABLE history_messages (session_id text, seq integer, key text,"
        " created_at float, text text, body text)",
    ],
    ids=["other columns", "other sessions", "no keys"],
)
def test_tables_of_others_are_left_alone(
    kind: str, foreign: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/other.db"
        with sqlite3.connect(tmp_path / "other.db") as connection:
            connection.execute(foreign)
        connection.close()
    else:
        url = request.getfixturevalue("postgres_url")
        request.getfixturevalue("postgres").run(foreign, url=url)

    with pytest.raises(HistoryUnavailable, match="tables history_sessions or history_messages"):
        SQLHistory("s", url).add_user_message("one")


def test_a_file_that_another_process_writes_to_is_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/busy.db"
    SQLHistory("s", url).add_user_message("one")
    other = sqlite3.connect(tmp_path / "busy.db", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HistoryUnavailable, match=r"busy\.db cannot be used \(database is locked"):
        SQLHistory("s", url, patience=0.3).add_user_message("two")

    assert len(SQLHistory("s", url, patience=0.3).messages) == 1  # to read is never in the way
    end = threading.Timer(0.3, other.execute, ["COMMIT"])
    end.start()
    SQLHistory("s", url).add_user_message("three")
    end.join()
    other.close()
    assert [m.content for m in SQLHistory("s", url).messages] == ["one", "three"]


def test_readers_go_on_while_a_writer_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/busy.db"
    SQLHistory("s", url).add_user_message("one")
    other = sqlite3.connect(tmp_path / "busy.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=SQLHistory("s", url).add_user_message, args=["two"])
    waiting.start()
    time.sleep(0.2)  # it has begun to wait
    assert len(SQLHistory("s", url, patience=1).messages) == 1
    assert waiting.is_alive()
    other.execute("COMMIT")
    other.close()
    waiting.join()

    assert len(SQLHistory("s", url).messages) == 2


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/proc/no-such-folder/a.db", "unable to open database file"),
        ("{folder}", "unable to open database file"),
        ("{folder}/text.db", "file is not a database"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_once(path: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but a text " * 100)
    started = time.monotonic()
    with pytest.raises(HistoryUnavailable, match=says):
        SQLHistory("s", f"sqlite:///{path.format(folder=tmp_path)}", patience=30).clear()

    assert time.monotonic() - started < SOON


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\n"
        "from tests.history.sql_writer import entries\n"
        "from streamlit_assistant.history.entries import Entry\n"
        "from streamlit_assistant.history.history_errors import HistoryUnavailable\n"
        "from streamlit_assistant.history.sql_log import log_at\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = log_at(sys.argv[1], 's')\n"
        "log.append(entries('w', 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    log.append([Entry('big', 'x' * 1_000_000, '')])\n"
        "except HistoryUnavailable as told:\n"
        "    sys.stdout.write(str(told))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "log.append(entries('w', 1))\n"
    )
    url = f"sqlite:///{tmp_path}/full.db"
    done = subprocess.run(
        [sys.executable, "-c", program, url], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "full.db cannot be used (" in done.stdout
    check_written(log_at(url, "s").read(), {"w": 2})


def test_nothing_is_lost_or_doubled_when_a_process_is_killed_in_mid_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/killed.db"
    taken, chance = 0, random.Random(7)
    for _ in range(4):
        with started_writer(url, "victim", taken, 1_000_000) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(chance.randint(20, 60)):
                taken = int(process.stdout.readline()) + 1
            process.kill()
            rest = process.stdout.read().rpartition("\n")[0].splitlines()
        taken = int(rest[-1]) + 1 if rest else taken
        check_written(log_at(url, "writers").read(), {"victim": taken}, more=1)
    # The one that follows says again what was not said to be taken.
    with started_writer(url, "victim", taken, taken + 5) as process:
        assert process.wait(60) == 0

    check_written(log_at(url, "writers").read(), {"victim": taken + 5})


def started_writer(url: str, writer: str, first: int, end: int) -> subprocess.Popen[str]:
    """A process that adds to the history named `writers`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.history.sql_writer", url, writer, str(first), str(end)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
