"""Threads leave the database and come back, in both kinds of it."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from streamlit_assistant.archive.thread_object import Header, ObjectWriter
from streamlit_assistant.store.archived_rows import FORGOTTEN, PARTS, StoredRow
from streamlit_assistant.store.migrations import HEAD
from streamlit_assistant.store.schema import metadata
from tests.archive.archived_site import AGE, DAY, OLD, ArchivedSite, add, filled

pytestmark = pytest.mark.both_databases


def test_every_table_that_goes_with_a_thread_is_moved_or_known_to_be_forgotten() -> None:
    goes = {"threads"}
    for table in metadata.sorted_tables:
        if any(key.column.table.name in goes for key in table.foreign_keys):
            goes.add(table.name)

    assert goes == {part.table.name for part in PARTS} | {table.name for table in FORGOTTEN}


async def test_every_column_of_every_row_survives(site: ArchivedSite) -> None:
    names = [site.fill(name) for name in ("a", "b", "c")]
    before = site.rows()

    moved = await site.move()
    assert (moved.code, site.threads()) == (0, set())
    restored = await site.restore(*names)

    assert (restored.code, restored.complaints) == (0, "")
    assert site.rows() == before


async def test_a_thread_without_anything_survives(site: ArchivedSite) -> None:
    name = site.fill("a", messages=0, runs=0)
    before = site.rows()

    await site.move()
    assert site.threads() == set()
    await site.restore(name)

    assert site.rows() == before


async def test_a_long_thread_survives(site: ArchivedSite) -> None:
    name = site.fill("a", messages=2500, runs=60)
    before = site.rows()

    await site.move()
    await site.restore(name)

    assert site.rows() == before


async def test_what_came_meanwhile_comes_behind(site: ArchivedSite) -> None:
    first = site.fill("a")
    await site.move()
    site.fill("b", last_active_at=int(site.clock()))
    meanwhile = site.rows()

    await site.restore(first)
    site.fill("c")

    order = [row.id for row in site.execute("SELECT id FROM threads ORDER BY last_message_seq")]
    assert order == ["thread_a", "thread_b", "thread_c"]
    assert set(meanwhile["messages"]) < set(site.rows()["messages"])


async def test_in_another_database_a_thread_takes_the_place_of_its_age(site: ArchivedSite) -> None:
    for number in range(3):
        site.fill(f"before{number}")
    name = site.fill("a", last_active_at=OLD + 50)
    await site.move()
    for table in ("messages", "threads", "runs", "run_steps"):
        if site.settings.database_url:
            site.execute(f"ALTER SEQUENCE {table}_seq_seq RESTART WITH 1")
        else:
            site.execute(f"DELETE FROM sqlite_sequence WHERE name = '{table}'")
    site.fill("older", last_active_at=OLD)
    site.fill("newer", last_active_at=OLD + 100)

    restored = await site.restore(name)
    site.fill("newest", last_active_at=OLD + 200)

    assert restored.code == 0, restored.complaints
    listed = site.execute("SELECT id FROM threads ORDER BY last_message_seq, seq")
    assert [row.id for row in listed] == [f"thread_{n}" for n in ("older", "a", "newer", "newest")]
    said = site.execute("SELECT id FROM messages WHERE thread_id = 'thread_a' ORDER BY seq")
    assert [row.id for row in said] == ["msg_a0", "msg_a1", "msg_a2"]
    assert "already" in (await site.restore(name)).out


async def test_taken_numbers_do_not_stop_a_thread(site: ArchivedSite) -> None:
    name = site.fill("a")
    seqs = [row.seq for row in site.execute("SELECT seq FROM messages ORDER BY seq")]
    await site.move()
    site.fill("b", last_active_at=int(site.clock()))
    site.execute("UPDATE messages SET seq = :seq WHERE id = 'msg_b1'", seq=seqs[1])

    assert (await site.restore(name)).code == 0
    said = site.execute("SELECT id FROM messages WHERE thread_id = 'thread_a' ORDER BY seq")
    assert [row.id for row in said] == ["msg_a0", "msg_a1", "msg_a2"]


async def test_young_busy_and_temporary_threads_stay(site: ArchivedSite) -> None:
    young = site.fill("young", last_active_at=int(site.clock()) - AGE + 5)
    temporary = site.fill("temporary", temporary=True)
    busy = site.fill("busy")
    lately = site.fill("lately")
    with site.connected() as connection:
        now = int(site.clock())
        run = {"thread_id": busy, "status": "requires_action", "created_at": OLD}
        add(connection, "runs", filled("runs", 9, id="run_active", **run))
        run = {"thread_id": lately, "status": "failed", "created_at": now}
        add(connection, "runs", filled("runs", 9, id="run_lately", **run))
    before = site.rows()

    moved = await site.move()

    assert site.threads() == {young, temporary, busy, lately}
    assert site.rows() == before
    assert "Moved 0 threads" in moved.out
    assert "1 thread as old stayed: a run is active." in moved.out


async def test_a_thread_that_a_mirror_lacks_stays_until_it_has_it(site: ArchivedSite) -> None:
    name = site.fill("a")
    site.fill("b")
    change = {"target": "t", "thread_id": name, "message_id": "msg_a0", "kind": "message"}
    with site.connected() as connection:
        add(connection, "mirror_outbox", filled("mirror_outbox", 0, **change))

    moved = await site.move()
    assert site.threads() == {name}
    assert "1 thread as old stayed: a mirror lacks messages." in moved.out
    site.execute("DELETE FROM mirror_outbox")
    await site.move()

    assert site.threads() == set()


async def test_threads_from_before_a_mirror_stay_until_they_are_copied(site: ArchivedSite) -> None:
    names = [site.fill(name) for name in ("a", "b")]
    seqs = [row.seq for row in site.execute("SELECT seq FROM threads ORDER BY seq")]
    mirror = {"target": "t", "copied_until": seqs[0], "threads_until": seqs[1]}
    with site.connected() as connection:
        add(connection, "mirrors", filled("mirrors", 0, **mirror))

    await site.move()

    assert site.threads() == {names[1]}


async def test_copies_are_kept_and_a_new_mirror_gets_what_comes_back(site: ArchivedSite) -> None:
    name = site.fill("a")
    mirror = {"target": "t", "copied_until": 1000, "threads_until": 1000}
    with site.connected() as connection:
        add(connection, "mirrors", filled("mirrors", 0, **mirror))

    await site.move()
    assert site.execute("SELECT kind FROM mirror_outbox") == []
    await site.restore(name)

    noted = site.execute(
        "SELECT target, thread_id, message_id, kind FROM mirror_outbox ORDER BY seq"
    )
    assert noted == [("t", name, f"msg_a{i}", "message") for i in range(3)]
    waiting = [row.written_at for row in site.execute("SELECT written_at FROM mirror_outbox")]
    assert min(waiting) > time.time() - DAY  # a mirror is not behind by the age of a thread


async def test_an_object_is_lines_that_others_can_read(site: ArchivedSite) -> None:
    name = site.fill("a", messages=2, runs=0, title="你好")
    await site.move()

    with gzip.open(site.object(name), "rt", encoding="utf-8") as file:
        first, thread, *messages, last = map(json.loads, file)

    assert (first["thread_id"], first["title"], first["schema"]) == (name, "你好", HEAD)
    assert (thread["table"], thread["row"]["owner"]) == ("threads", "owner")
    assert [line["row"]["id"] for line in messages] == ["msg_a0", "msg_a1"]
    assert last["end"] == {"threads": 1, "messages": 2}
    assert site.object(name).stat().st_mode & 0o777 == 0o600
    assert site.folder.stat().st_mode & 0o777 == 0o700


async def test_restoring_twice_is_restoring_once(site: ArchivedSite) -> None:
    name = site.fill("a")
    await site.move()
    await site.restore(name)
    before = site.rows()

    again = await site.restore(name)

    assert (again.code, site.rows()) == (0, before)
    assert "in the database already" in again.out
    assert site.object(name).exists()


async def test_an_object_goes_when_asked_once_its_thread_is_back(site: ArchivedSite) -> None:
    names = [site.fill(name) for name in ("a", "b")]
    await site.move()
    await site.restore(names[0])

    assert (await site.restore(*names, remove=True)).code == 0

    assert [site.object(name).exists() for name in names] == [False, False]
    assert site.threads() == set(names)


async def test_a_thread_with_another_content_is_not_overwritten(site: ArchivedSite) -> None:
    name = site.fill("a")
    await site.move()
    await site.restore(name)
    site.execute("UPDATE messages SET role = 'assistant' WHERE id = 'msg_a1'")
    before = site.rows()

    refused = await site.restore(name, remove=True)

    assert (refused.code, site.rows()) == (1, before)
    assert "with another content" in refused.complaints
    assert site.object(name).exists()


async def test_ids_of_others_stop_a_thread_as_a_whole(site: ArchivedSite) -> None:
    name = site.fill("a")
    await site.move()
    site.fill("b", last_active_at=int(site.clock()))
    site.execute("UPDATE messages SET id = 'msg_a2' WHERE id = 'msg_b2'")
    before = site.rows()

    refused = await site.restore(name)

    assert (refused.code, site.rows()) == (1, before)
    assert "objects with its ids" in refused.complaints


async def test_an_archive_of_an_older_version_is_filled_up(site: ArchivedSite) -> None:
    name = site.fill("a", runs=0)
    await site.move()
    rewrite(site, name, lambda line: drop(line, "langchain", "langchain_id", "temporary"), "0004")

    assert (await site.restore(name)).code == 0

    rows = site.execute("SELECT langchain, langchain_id, role FROM messages")
    assert rows == [(None, None, "user")] * 3
    assert "already" in (await site.restore(name)).out


async def test_an_archive_of_a_newer_version_is_refused(site: ArchivedSite) -> None:
    name = site.fill("a")
    await site.move()
    rewrite(site, name, lambda line: line, "9999")

    refused = await site.restore(name)

    assert (refused.code, site.threads()) == (1, set())
    assert "made by a newer version (schema 9999" in refused.complaints


async def test_columns_that_are_unknown_are_refused_by_name(site: ArchivedSite) -> None:
    name = site.fill("a")
    await site.move()

    def mood(line: dict[str, object]) -> dict[str, object]:
        row = line["row"]
        assert isinstance(row, dict)
        return {**line, "row": {**row, "mood": "good"}}

    rewrite(site, name, mood, HEAD)
    refused = await site.restore(name)

    assert (refused.code, site.threads()) == (1, set())
    assert "does not know mood of threads" in refused.complaints


async def test_the_dry_runs_change_nothing(site: ArchivedSite) -> None:
    name = site.fill("a")
    before = site.rows()

    planned = await site.move(dry_run=True)
    assert (planned.code, site.rows(), site.folder.exists()) == (0, before, False)
    assert f"{name}  2020-09-13" in planned.out
    assert "Would move 1 thread with 3 messages." in planned.out
    await site.move()
    planned = await site.restore(name, dry_run=True)

    assert (planned.out, site.threads()) == (f"{name}: can be restored\n", set())


async def test_the_list_says_what_is_there(site: ArchivedSite) -> None:
    site.fill("a", title="What is\n love? \x1b[31m")
    site.fill("b", title=None)
    await site.move()

    said = await site.listed()

    lines = said.out.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [
        ["thread_a", "2020-09-13", "3"],
        ["thread_b", "2020-09-13", "3"],
    ]
    assert lines[0].endswith("What is  love?  [31m")
    assert lines[2] == f"2 threads in {site.place}."


def drop(line: dict[str, object], *names: str) -> dict[str, object]:
    """A row without these columns."""
    row = line["row"]
    assert isinstance(row, dict)
    return {**line, "row": {name: value for name, value in row.items() if name not in names}}


def rewrite(
    site: ArchivedSite,
    thread_id: str,
    change: Callable[[dict[str, object]], dict[str, object]],
    schema: str,
) -> None:
    """Make the object of a thread one of another version."""
    lines = gzip.decompress(site.object(thread_id).read_bytes()).splitlines()
    header = Header(**{**json.loads(lines[0]), "schema": schema})
    with site.object(thread_id).open("wb") as file:
        writer = ObjectWriter(file, header)
        for line in map(json.loads, lines[1:-1]):
            changed: dict[str, Any] = change(line)
            row = StoredRow(changed["table"], changed["row"])
            writer.add(row.table, [row.line])
        writer.end()
