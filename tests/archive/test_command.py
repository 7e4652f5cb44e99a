"""`start archive` as people and cron run it: a process of its own, beside the server."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamlit_assistant.archive.archive_errors import ArchiveError
from streamlit_assistant.archive.folder_place import FolderPlace
from streamlit_assistant.archive.places import check
from streamlit_assistant.settings import Settings
from tests.archive.archived_site import ArchivedSite
from tests.postgres import Postgres
from tests.start_process import START, Site

KEY = "0123456789abcdef"
MOVED = ("threads", "messages", "runs", "run_steps")
AGE = ("--older-than", "90d")


@pytest.fixture
def process(tmp_path: Path) -> Site:
    return Site.at(tmp_path, ASSISTANT_API_KEY=KEY)


@pytest.fixture
def site(process: Site, empty_database: Path) -> ArchivedSite:
    """The same site, which was started once and is filled behind the server's back."""
    settings = Settings(data_dir=process.folder / "data")
    settings.data_dir.mkdir(mode=0o700)
    shutil.copy(empty_database, settings.data_dir / "assistant.db")
    return ArchivedSite(settings, str(process.folder / "archive"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one of the arguments --older-than --restore --list is required"),
        (("--older-than", "90d"), "one of the arguments --to --from is required"),
        (("--older-than", "90", "--to", "x"), "'90' is no age; accepted: a whole number"),
        (("--older-than", "3m", "--to", "x"), "(a month is 30d)"),
        (("--older-than", "90d", "--from", "x"), "threads are moved --to a place"),
        (("--older-than", "90d", "--to", "x", "--remove"), "--remove goes with --restore"),
        (("--list", "--to", "x"), "--from a place"),
        (("--list", "--older-than", "1d", "--to", "x"), "not allowed with argument"),
        (("--restore", "--from", "x"), "expected at least one argument"),
        (("--restore", "../../x", "--from", "x"), "'../../x' is no thread's id"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(
    process: Site, arguments: tuple[str, ...], words: str
) -> None:
    ended = process.run("archive", *arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (process.folder / "data").exists()


def test_the_help_explains_it(process: Site) -> None:
    ended = process.run("archive", "--help")

    assert ended.returncode == 0
    for words in ("--older-than", "--restore", "--dry-run", "s3://", "cron", "exit codes"):
        assert words in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) < 80
    assert "archive" in process.run("--help").stdout


def test_without_a_site_nothing_is_made(process: Site) -> None:
    ended = process.run("--data-dir", "elsewhere", "archive", *AGE, "--to", "archive")

    assert ended.returncode == 1
    assert ended.stderr == (
        f"There is no database {process.folder}/elsewhere/assistant.db; "
        "name the folder of the site with --data-dir.\n"
    )
    assert [*process.folder.iterdir()] == []


def test_wrong_settings_are_said_like_everywhere(process: Site) -> None:
    process.environ["DATABASE_URL"] = "mysql://x"
    ended = process.run("archive", *AGE, "--to", "archive")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("DATABASE_URL (environment)")


def test_a_database_that_is_away_is_said_in_a_line(process: Site) -> None:
    process.environ["DATABASE_URL"] = f"postgresql://me:hunter2@127.0.0.1:{process.port}/chats"
    ended = process.run("archive", *AGE, "--to", "archive")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("The database cannot be used (")
    assert "hunter2" not in ended.stderr and "Traceback" not in ended.stderr


def test_it_works_beside_the_server(process: Site, site: ArchivedSite) -> None:
    with process.started() as started, process.client(KEY) as client:
        name = site.fill("a")
        assert client.get(f"/v1/threads/{name}").status_code == 200
        moved = process.run("archive", *AGE, "--to", "archive")
        gone = client.get(f"/v1/threads/{name}").status_code
        listed = process.run("archive", "--list", "--from", "archive")
        restored = process.run("archive", "--restore", name, "--from", "archive", "--remove")
        back = client.get(f"/v1/threads/{name}").status_code
        assert started.end() == 0

    assert [ended.returncode for ended in (moved, listed, restored)] == [0, 0, 0]
    assert [ended.stderr for ended in (moved, listed, restored)] == ["", "", ""]
    assert (gone, back) == (404, 200)
    assert moved.stdout.startswith("Moved 1 thread with 3 messages to ")
    assert listed.stdout.startswith(f"{name}  2020-09-13")
    assert restored.stdout == f"{name}: restored\n"
    assert not site.object(name).exists()


def test_it_works_on_postgresql_without_the_folder_of_the_site(
    process: Site, postgres: Postgres, postgres_url: str
) -> None:
    process.environ["DATABASE_URL"] = postgres_url
    site = ArchivedSite(
        Settings(data_dir=process.folder / "data", database_url=postgres_url),
        str(process.folder / "archive"),
    )
    name = site.fill("a")
    before = site.rows()

    moved = process.run("archive", *AGE, "--to", "archive")
    assert (moved.returncode, moved.stderr, site.threads()) == (0, "", set())
    restored = process.run("archive", "--restore", name, "--from", "archive")

    assert (restored.returncode, restored.stderr) == (0, "")
    assert site.rows() == before
    assert not (process.folder / "data").exists()


def test_a_place_that_may_not_be_written_to_is_named(process: Site, site: ArchivedSite) -> None:
    name = site.fill("a")
    ended = process.run("archive", *AGE, "--to", "/proc/archive")

    assert ended.returncode == 1
    assert ended.stderr.startswith("The folder /proc/archive cannot be used (")
    assert site.threads() == {name}


def test_a_database_of_somebody_else_is_named(process: Site, site: ArchivedSite) -> None:
    name = site.fill("a")
    blocked = site.settings.data_dir / "assistant.db.archive"
    blocked.mkdir()
    far = process.run("--data-dir", "x" * 300, "archive", *AGE, "--to", "archive")
    near = process.run("archive", *AGE, "--to", "archive")

    for ended in (far, near):
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("The database ") and ended.stderr.count("\n") == 1
        assert ended.stderr.endswith("run this as the user whom the server runs as.\n")
    assert str(blocked) in near.stderr
    assert site.threads() == {name}


def test_a_reader_who_leaves_early_gets_no_traceback(process: Site, site: ArchivedSite) -> None:
    for number in range(3):
        site.fill(f"a{number}")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*START, "archive", *AGE, "--to", "archive"],
            cwd=process.folder,
            env=process.environ,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("Ended, because nobody can read what is said (")
    assert site.threads() == set()


def test_ctrl_c_ends_it_in_a_line(process: Site, site: ArchivedSite) -> None:
    names = {site.fill(f"a{number}", messages=1, runs=0) for number in range(100)}
    with moving(process) as mover:
        wait_for_objects(site, 1)
        mover.send_signal(signal.SIGINT)
        _, complaints = mover.communicate(timeout=30)

    assert mover.returncode == 130
    assert complaints == "\nInterrupted; nothing is lost, and the next run goes on.\n"
    assert names == site.threads() | in_archive(site)


@contextmanager
def moving(process: Site, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`start archive` while it is at work; it is killed at the end of the block."""
    mover = subprocess.Popen(
        [*START, "archive", *(arguments or (*AGE, "--to", "archive"))],
        cwd=process.folder,
        env=process.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield mover
    finally:
        mover.kill()
        mover.wait()
        for pipe in (mover.stdout, mover.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_objects(site: ArchivedSite, count: int) -> None:
    """Return when the archive holds so many objects more than before."""
    wanted = len(objects(site)) + count
    deadline = time.monotonic() + 60
    while len(objects(site)) < wanted:
        assert time.monotonic() < deadline, "nothing is moved"
        time.sleep(0.002)


def objects(site: ArchivedSite) -> set[str]:
    """The threads of which the archive has something."""
    return {path.name.removesuffix(".ndjson.gz") for path in site.folder.glob("threads/thread_*")}


def in_archive(site: ArchivedSite) -> set[str]:
    """The threads that the archive holds whole."""
    place = FolderPlace(site.folder)
    for name in (found := objects(site)):
        try:
            check(place, name, place.chunks(name))
        except ArchiveError as error:
            raise AssertionError(name) from error
    return found


@contextmanager
def chatting(process: Site) -> Iterator[list[str]]:
    """Somebody who goes on using the site; gives the threads made so far."""
    made: list[str] = []
    refused: list[Any] = []
    over = threading.Event()

    def chat() -> None:
        with process.client(KEY) as client:
            while not over.is_set():
                body = {"messages": [{"role": "user", "content": "hello"}]}
                answer = client.post("/v1/threads", json=body)
                if answer.status_code == 200:
                    made.append(answer.json()["id"])
                else:
                    refused.append(answer.text)
                over.wait(0.02)

    person = threading.Thread(target=chat)
    person.start()
    try:
        yield made
    finally:
        over.set()
        person.join()
    assert refused == []


def test_killed_at_any_moment_it_loses_nothing(process: Site, site: ArchivedSite) -> None:
    dice = random.Random(6)
    with process.started(), chatting(process) as made:
        names = {site.fill(f"a{number}", messages=4, runs=1) for number in range(80)}
        before = kept(site, names)
        for _ in range(4):
            with moving(process) as mover:
                wait_for_objects(site, dice.randrange(1, 12))
                time.sleep(dice.random() * 0.02)
                mover.kill()
                mover.wait()
            assert names <= site.threads() | in_archive(site)
        ended = process.run("archive", *AGE, "--to", "archive")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert names <= in_archive(site)
        assert names.isdisjoint(site.threads())

        for _ in range(3):
            with moving(
                process, "--restore", *sorted(names), "--from", "archive", "--remove"
            ) as mover:
                some = len(site.threads() & names) + dice.randrange(1, 15)
                deadline = time.monotonic() + 60
                while len(site.threads() & names) < some and time.monotonic() < deadline:
                    time.sleep(0.002)
                mover.kill()
                mover.wait()
            assert names <= site.threads() | in_archive(site)
        left = sorted(in_archive(site))
        ended = process.run("archive", "--restore", *left, "--from", "archive", "--remove")
        assert (ended.returncode, ended.stderr) == (0, "")

    assert in_archive(site) == set()
    assert kept(site, names) == before
    assert made and set(made) <= site.threads()


def kept(site: ArchivedSite, names: set[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these threads."""
    rows = site.rows()
    return {
        table: [row for row in rows[table] if names.intersection(map(str, row))] for table in MOVED
    }
