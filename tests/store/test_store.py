"""The store: ownership, order, the thread lock, the fence."""

import itertools
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError

from streamlit_assistant.errors import InvalidRequest, LeaseLost, NotFound, StartError
from streamlit_assistant.records import PageQuery, RunEvent, RunStatus, Thread
from streamlit_assistant.store import Fence, Limits, Store, sqlite_url
from streamlit_assistant.store.run_queue import _FREE
from streamlit_assistant.store.tables import IS_ACTIVE, runs
from tests.conftest import FakeClock
from tests.factories import OWNER, make_assistant, make_message, make_run, make_thread

pytestmark = pytest.mark.both_databases

PAGINGS = list(itertools.product(("asc", "desc"), (1, 2, 3, 7, 8)))
EVENT = [RunEvent(1, "thread.run.created", "{}")]


def announced(_thread: Thread) -> list[RunEvent]:
    return EVENT


async def thread_with(store: Store, count: int) -> tuple[str, list[str]]:
    thread = make_thread()
    messages = [make_message(thread.id, f"m{n}") for n in range(count)]
    await store.threads.add(thread, messages)
    return thread.id, [message.id for message in messages]


def test_the_database_writes_ahead(empty_database: Path) -> None:
    with sqlite3.connect(empty_database) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()

    assert mode == ("wal",)


async def test_an_assistant_comes_back_as_it_was_stored(store: Store) -> None:
    assistant = make_assistant(
        name="小智·Zero",
        tools=[{"type": "function", "function": {"name": "f", "strict": False}}],
        metadata={"k": "🙂"},
        temperature=0.0,
        response_format={"type": "json_object"},
    )

    await store.assistants.add(assistant)

    assert await store.assistants.get(OWNER, assistant.id) == assistant


async def test_nobody_reaches_what_is_anothers(store: Store) -> None:
    assistant = await store.assistants.add(make_assistant())
    thread = await store.threads.add(make_thread())

    with pytest.raises(NotFound):
        await store.assistants.get("stranger", assistant.id)
    with pytest.raises(NotFound):
        await store.assistants.modify("stranger", assistant.id, {"name": "mine"})
    with pytest.raises(NotFound):
        await store.assistants.delete("stranger", assistant.id)
    with pytest.raises(NotFound):
        await store.threads.get("stranger", thread.id)
    with pytest.raises(NotFound):
        await store.threads.modify("stranger", thread.id, {"metadata": {}})
    with pytest.raises(NotFound):
        await store.threads.delete("stranger", thread.id)
    with pytest.raises(NotFound):
        await store.runs.add(make_run(thread.id, owner="stranger"), announced)
    assert (await store.threads.page("stranger", PageQuery())).items == []


async def test_messages_of_one_second_keep_their_order(store: Store) -> None:
    thread_id, ids = await thread_with(store, 5)

    page = await store.messages.page(thread_id, PageQuery(order="asc"))

    assert [message.id for message in page.items] == ids


@pytest.mark.parametrize(("order", "limit"), PAGINGS)
async def test_paging_behind_a_cursor_visits_everything_once(
    store: Store, order: str, limit: int
) -> None:
    thread_id, ids = await thread_with(store, 7)
    seen: list[str] = []
    after = None
    while True:
        page = await store.messages.page(thread_id, PageQuery(limit, order, after))
        seen += [message.id for message in page.items]
        if not page.has_more:
            break
        after = seen[-1]

    assert seen == (ids if order == "asc" else ids[::-1])


@pytest.mark.parametrize(("order", "limit"), PAGINGS)
async def test_paging_ahead_of_a_cursor_walks_back_the_same_way(
    store: Store, order: str, limit: int
) -> None:
    thread_id, ids = await thread_with(store, 7)
    listed = ids if order == "asc" else ids[::-1]
    seen: list[str] = []
    before = listed[-1]
    while True:
        page = await store.messages.page(thread_id, PageQuery(limit, order, before=before))
        seen = [message.id for message in page.items] + seen
        if not page.has_more:
            break
        before = seen[0]

    assert seen == listed[:-1]


async def test_the_page_between_two_cursors_holds_what_lies_between(store: Store) -> None:
    thread_id, ids = await thread_with(store, 7)

    between = PageQuery(20, "asc", after=ids[1], before=ids[5])
    page = await store.messages.page(thread_id, between)

    assert [message.id for message in page.items] == ids[2:5]


async def test_an_unknown_cursor_is_named(store: Store) -> None:
    thread_id, _ = await thread_with(store, 1)
    _, others = await thread_with(store, 1)

    with pytest.raises(NotFound, match=others[0]):
        await store.messages.page(thread_id, PageQuery(after=others[0]))


async def test_threads_are_listed_by_their_last_activity(store: Store) -> None:
    first, second = make_thread(), make_thread()
    await store.threads.add(first, [make_message(first.id)])
    await store.threads.add(second, [make_message(second.id)])
    await store.messages.add(make_message(first.id))

    page = await store.threads.page(OWNER, PageQuery())

    assert [thread.id for thread in page.items] == [first.id, second.id]


async def test_a_thread_without_messages_is_not_listed(store: Store) -> None:
    await store.threads.add(make_thread())

    assert (await store.threads.page(OWNER, PageQuery())).items == []


async def test_a_thread_is_named_after_its_first_question(store: Store) -> None:
    thread = make_thread()
    await store.threads.add(thread)
    await store.messages.add(make_message(thread.id, "hello", role="assistant"))
    assert (await store.threads.get(OWNER, thread.id)).title is None

    await store.messages.add(make_message(thread.id, "  What is\n\n a 小智?  "))
    await store.messages.add(make_message(thread.id, "another"))

    named = await store.threads.get(OWNER, thread.id)
    assert (named.title, named.message_count) == ("What is a 小智?", 3)


async def test_a_long_question_makes_a_short_title(store: Store) -> None:
    thread = make_thread()
    await store.threads.add(thread, [make_message(thread.id, "word " * 50_000)])

    title = (await store.threads.get(OWNER, thread.id)).title

    assert title is not None
    assert len(title) <= 60
    assert title.endswith("word…")


async def test_an_active_run_locks_its_thread(store: Store) -> None:
    thread_id, _ = await thread_with(store, 1)
    run = make_run(thread_id)
    await store.runs.add(run, announced)

    with pytest.raises(InvalidRequest) as message_refused:
        await store.messages.add(make_message(thread_id))
    with pytest.raises(InvalidRequest) as run_refused:
        await store.runs.add(make_run(thread_id), announced)

    assert str(message_refused.value) == (
        f"Can't add messages to {thread_id} while a run {run.id} is active."
    )
    assert str(run_refused.value) == f"Thread {thread_id} already has an active run {run.id}."


async def test_a_refused_run_leaves_nothing_behind(store: Store) -> None:
    thread_id, ids = await thread_with(store, 1)
    await store.runs.add(make_run(thread_id), announced)

    with pytest.raises(InvalidRequest):
        await store.runs.add(make_run(thread_id), announced, [make_message(thread_id)])

    page = await store.messages.page(thread_id, PageQuery())
    assert [message.id for message in page.items] == ids


async def test_a_run_is_claimed_once_and_the_oldest_first(store: Store) -> None:
    runs = []
    for _ in range(2):
        thread_id, _ = await thread_with(store, 1)
        runs.append(make_run(thread_id))
        await store.runs.add(runs[-1], announced)

    claimed = [await store.queue.claim("me", Limits()) for _ in range(3)]

    assert [run.id if run else None for run in claimed] == [runs[0].id, runs[1].id, None]
    assert claimed[0] is not None
    assert (claimed[0].status, claimed[0].attempt) == (RunStatus.IN_PROGRESS, 1)


async def test_a_zombie_cannot_write(store: Store, clock: FakeClock) -> None:
    thread_id, _ = await thread_with(store, 1)
    await store.runs.add(make_run(thread_id), announced)
    run = await store.queue.claim("zombie", Limits())
    assert run is not None
    zombie = Fence(run.id, "zombie", run.attempt)

    [adopted] = await store.queue.adopt_orphans("heir")
    late = [RunEvent(2, "thread.run.in_progress", "{}")]

    assert adopted.attempt == 2
    assert await store.events.append({zombie: late}) == [zombie]
    with pytest.raises(LeaseLost):
        await store.runs.save(zombie, changes={"status": RunStatus.COMPLETED}, events=late)
    row = await store.runs.get(thread_id, run.id)
    assert (row.status, row.last_event) == (RunStatus.IN_PROGRESS, adopted.last_event)
    assert len(await store.events.after(run.id, 0)) == 1


async def test_of_many_runs_only_what_is_anothers_or_stored_already_is_left_out(
    store: Store,
) -> None:
    fences = []
    for _ in range(3):
        thread_id, _ = await thread_with(store, 1)
        await store.runs.add(make_run(thread_id), announced)
        run = await store.queue.claim("me", Limits())
        assert run is not None
        fences.append(Fence(run.id, "me", run.attempt))
    held, known, lost = fences
    first, second = (RunEvent(n, "thread.message.delta", "{}") for n in (2, 3))
    await store.events.append({known: [first]})
    taken = Fence(lost.run_id, "other", lost.attempt)

    assert await store.events.append({held: [first], known: [first, second], taken: [first]}) == [
        taken
    ]
    stored = {fence: await store.events.after(fence.run_id, 1) for fence in fences}
    assert stored == {held: [first], known: [first, second], lost: []}
    assert await store.events.append({held: [second], lost: [first]}) == []
    assert await store.events.after(held.run_id, 1) == [first, second]


async def test_a_save_that_fails_stores_nothing(store: Store) -> None:
    thread_id, ids = await thread_with(store, 1)
    await store.runs.add(make_run(thread_id), announced)
    stranger = Fence("run_none", "me", 1)

    with pytest.raises(LeaseLost):
        await store.runs.save(
            stranger, changes={"status": "failed"}, events=[], new=[make_message(thread_id)]
        )

    assert len((await store.messages.page(thread_id, PageQuery())).items) == len(ids)


async def test_deleting_a_thread_deletes_what_hangs_on_it(store: Store) -> None:
    thread_id, ids = await thread_with(store, 2)
    run = make_run(thread_id)
    await store.runs.add(run, announced)

    await store.threads.delete(OWNER, thread_id)

    with pytest.raises(NotFound):
        await store.messages.get(thread_id, ids[0])
    with pytest.raises(NotFound):
        await store.runs.get(thread_id, run.id)
    assert await store.events.after(run.id, 0) == []


async def test_events_of_an_active_run_are_not_forgotten(store: Store, clock: FakeClock) -> None:
    thread_id, _ = await thread_with(store, 1)
    run = make_run(thread_id)
    await store.runs.add(run, announced)

    await store.events.forget(int(clock()) + 10_000)

    assert await store.events.after(run.id, 0) == EVENT


async def test_the_executor_looks_among_the_active_runs_only(empty_database: Path) -> None:
    engine = create_engine(f"sqlite:///{empty_database}")
    queries = {
        "claim": select(runs.c.seq).where(*_FREE),
        "lock": select(runs.c.id).where(runs.c.thread_id == "t", IS_ACTIVE),
        "active": select(runs.c.id).where(IS_ACTIVE),
    }
    plans = {}
    with engine.connect() as connection:
        for name, query in queries.items():
            spelled = query.compile(engine, compile_kwargs={"literal_binds": True})
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {spelled}")
            plans[name] = " ".join(row[3] for row in found)
    engine.dispose()

    assert all("_active" in plan for plan in plans.values()), plans


async def test_an_error_of_the_database_says_nothing_of_the_message(store: Store) -> None:
    thread_id, _ = await thread_with(store, 1)
    message = make_message(thread_id, "MY-DIARY")
    await store.messages.add(message)

    with pytest.raises(IntegrityError) as caught:
        await store.messages.add(message)

    assert "MY-DIARY" not in str(caught.value)


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a b", "小智"])
async def test_a_database_lies_where_its_path_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    opened = Store(sqlite_url(path), lambda: 0)
    await opened.open()
    await opened.close()

    assert path.exists()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be read as one" * 9])
async def test_a_file_that_is_no_database_is_told_in_plain_words(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(content)
    broken = Store(sqlite_url(path), lambda: 0)

    with pytest.raises(StartError, match=r"broken\.db cannot be used"):
        await broken.open()
    await broken.close()


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    newer = create_engine(f"sqlite:///{path}")
    with newer.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('9999')")
    newer.dispose()
    store = Store(sqlite_url(path), lambda: 0)

    with pytest.raises(StartError, match="newer version"):
        await store.open()
    await store.close()
