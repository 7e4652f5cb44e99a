"""Several processes and many histories at one SQL database."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from langchain_core.messages import HumanMessage
from sqlalchemy import make_url

from streamlit_assistant.history import SQLHistory, sql_postgres
from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import MessageRefused
from streamlit_assistant.history.sql_addresses import sql_address
from streamlit_assistant.history.sql_database import Database
from streamlit_assistant.history.sql_log import log_at
from streamlit_assistant.history.sql_postgres import CONNECTIONS, MORE, PostgresDatabase
from streamlit_assistant.history.sql_sqlite import SqliteDatabase
from streamlit_assistant.history.sql_tables import TABLES
from tests.history.sql_writer import check_written, entries
from tests.postgres import Postgres
from tests.start_process import ROOT

COUNT = 100
KINDS = ["sqlite", "postgresql"]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/histories.db"
    return str(request.getfixturevalue("postgres_url"))


def program(*arguments: str) -> subprocess.Popen[str]:
    """A process of `sql_writer`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.history.sql_writer", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def opened(url: str) -> Database:
    """A database with connections of its own."""
    address = sql_address(url).url
    return SqliteDatabase(address) if "sqlite" in url else PostgresDatabase(address)


def counted(url: str, table: str) -> int:
    """How many rows a table has."""
    count = f"SELECT count(*) FROM {table}"
    database = opened(url)
    rows = database.run(lambda connection: connection.exec_driver_sql(count).scalar_one(), 5)
    database.close()
    return int(rows)


def test_two_processes_write_to_one_session_at_once(url: str) -> None:
    writers = [program(url, f"process{number}", "0", str(COUNT)) for number in range(2)]
    for process in writers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in writers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in writers:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")

    check_written(log_at(url, "writers").read(), {"process0": COUNT, "process1": COUNT})


def test_forked_processes_go_on_with_connections_of_their_own(url: str) -> None:
    process = program("fork", url, str(COUNT))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors

    names = [
        *(f"thread{number}" for number in range(2)),
        *(f"child{number}" for number in range(3)),
    ]
    check_written(log_at(url, "forks").read(), {"first": 1, **dict.fromkeys(names, COUNT)})


def test_tables_are_made_by_many_at_once(url: str) -> None:
    databases = [opened(url) for _ in range(6)]
    start = Barrier(len(databases))

    def write(number: int) -> None:
        database = databases[number]
        start.wait()
        added = entries(f"writer{number}", 0)
        database.run(lambda connection: database.append(connection, "s", added), 30)

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(write, range(len(databases))))
    for database in databases:
        database.close()

    check_written(log_at(url, "s").read(), {f"writer{number}": 1 for number in range(6)})


def test_many_histories_share_a_few_connections(postgres: Postgres, postgres_url: str) -> None:
    histories = [SQLHistory(f"session {number}", postgres_url) for number in range(200)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda history: history.add_user_message("one"), histories))
        assert all(pool.map(lambda history: history.messages, histories))

    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    assert postgres.run(count, make_url(postgres_url).database)[0][0] <= CONNECTIONS + MORE
    for history in histories:
        history.close()
    assert postgres.run(count, make_url(postgres_url).database)[0][0] == 0


def test_a_history_lives_beside_the_tables_of_others(postgres: Postgres, postgres_url: str) -> None:
    before = postgres.run("SELECT count(*) FROM messages", url=postgres_url)
    history = SQLHistory("s", f"{postgres_url}?options=-csearch_path%3Dpublic")
    history.add_user_message("one")

    assert len(history.messages) == 1
    assert postgres.run("SELECT count(*) FROM messages", url=postgres_url) == before


def test_nothing_of_a_cleared_session_is_kept(url: str) -> None:
    log = log_at(url, "s")
    log.append(entries("w", 0))
    log.remove(["w 0 q"])
    log.clear()

    assert [counted(url, table.name) for table in TABLES.sorted_tables] == [0, 0]
    log.append(entries("w", 0))
    assert log.read() == ["w 0 q", "w 0 a"]


def test_clearing_while_others_write_leaves_what_comes_after_it(url: str) -> None:
    start = Barrier(3)

    def write(writer: str) -> None:
        log = log_at(url, "s")
        start.wait()
        for number in range(40):
            log.append(entries(writer, number))

    def clear() -> None:
        start.wait()
        for _ in range(40):
            log_at(url, "s").clear()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(write, "one"), pool.submit(write, "two"), pool.submit(clear)]:
            done.result()

    bodies = log_at(url, "s").read()
    for writer in ("one", "two"):
        everything = [entry.body for number in range(40) for entry in entries(writer, number)]
        mine = [body for body in bodies if body.startswith(writer)]
        assert mine == everything[len(everything) - len(mine) :]
        assert len(mine) % 2 == 0


def test_a_removed_message_leaves_nothing_but_its_key(
    postgres: Postgres, postgres_url: str
) -> None:
    log = log_at(postgres_url, "s")
    log.append(entries("w", 0))
    log.remove(["w 0 q"])

    kept = postgres.run(
        "SELECT key, text, body FROM history_messages ORDER BY seq", url=postgres_url
    )
    assert kept == [("w 0 q", "", None), ("w 0 a", "text of w 0 a", "w 0 a")]


def test_a_question_of_very_many_words_is_answered(url: str) -> None:
    log = log_at(url, "s")
    words = [f"{number:05}" for number in range(5_000)]
    log.append([entry for number in range(3) for entry in entries("w", number)])
    log.append([Entry("long", "found", " ".join(words))])

    assert log.search(words, 5) == ["found"]
    assert log.search([*words, "nowhere"], 5) == []
    assert log.search(["text", "of", "w", "1", "t", "e", "x", " ", "q"], 5) == ["w 1 q"]
    assert log.search(["text", "of", "w", "1", "t", "e", "x", " ", "y"], 5) == []


def test_a_database_of_another_alphabet_refuses_what_it_cannot_keep(postgres: Postgres) -> None:
    postgres.run("CREATE DATABASE western TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    history = SQLHistory("s", postgres.url("western"))
    history.add_user_message("Käse")
    with pytest.raises(MessageRefused, match="does not take this message"):
        history.add_messages([HumanMessage("before"), HumanMessage("价格")])

    assert [message.content for message in history.messages] == ["Käse"]


def test_what_is_too_large_for_a_statement_stays_together(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_postgres, "LARGEST", 100)
    log, other = log_at(postgres_url, "s"), log_at(postgres_url, "s")
    added = [entry for number in range(20) for entry in entries("w", number)]
    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(log.append, added),
            *(pool.submit(other.append, entries(f"x{number}", 0)) for number in range(20)),
        ]
    assert [one.result() for one in done] == [None] * 21

    bodies = list(log.read())
    begin = bodies.index(added[0].body)
    assert bodies[begin : begin + len(added)] == [entry.body for entry in added]
    check_written(bodies, {"w": 20, **{f"x{number}": 1 for number in range(20)}})
