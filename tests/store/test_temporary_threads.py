"""Threads that are not to be kept."""

import json
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from streamlit_assistant.errors import NotFound
from streamlit_assistant.records import PageQuery, RunEvent, RunStatus, Thread
from streamlit_assistant.store import Fence, Store
from streamlit_assistant.store.tables import messages, run_events, run_steps, runs, threads
from tests.conftest import FakeClock
from tests.factories import OWNER, make_message, make_run, make_thread
from tests.file_factories import make_file

pytestmark = pytest.mark.both_databases

NOW = 1_700_000_000
LATER = NOW + 10_000


def announced(_thread: Thread) -> list[RunEvent]:
    return [RunEvent(1, "thread.run.created", '{"words": "mauve"}')]


async def begun(store: Store, **fields: Any) -> str:
    """A thread with one question."""
    thread = make_thread(**{"temporary": True, **fields})
    await store.threads.add(thread, [make_message(thread.id, "mauve?")])
    return thread.id


async def known(store: Store, thread_id: str) -> bool:
    try:
        await store.threads.get(OWNER, thread_id)
    except NotFound:
        return False
    return True


async def test_it_is_known_and_listed_nowhere(store: Store) -> None:
    temporary, ordinary = await begun(store), await begun(store, temporary=False)

    page = await store.threads.page(OWNER, PageQuery())

    assert [thread.id for thread in page.items] == [ordinary]
    assert (await store.threads.get(OWNER, temporary)).temporary
    assert not (await store.threads.get(OWNER, ordinary)).temporary


async def test_one_cannot_page_from_it(store: Store) -> None:
    temporary = await begun(store)

    with pytest.raises(NotFound):
        await store.threads.page(OWNER, PageQuery(after=temporary))


async def test_it_goes_once_nothing_has_happened_in_it_for_a_while(store: Store) -> None:
    temporary, ordinary = await begun(store), await begun(store, temporary=False)

    await store.threads.forget_left(since=NOW)
    assert await known(store, temporary)

    await store.threads.forget_left(since=NOW + 1)
    assert not await known(store, temporary)
    assert await known(store, ordinary)


async def test_many_go_at_once(store: Store) -> None:
    left = [await begun(store) for _ in range(205)]
    fresh = await begun(store)
    await store.messages.add(make_message(fresh, "still here", created_at=LATER))

    await store.threads.forget_left(since=LATER)

    assert [thread_id for thread_id in [*left, fresh] if await known(store, thread_id)] == [fresh]


async def test_it_stays_while_a_run_is_active(store: Store) -> None:
    temporary = await begun(store)
    run = make_run(temporary)
    await store.runs.add(run, announced)

    await store.threads.forget_left(since=LATER)

    assert await known(store, temporary)


async def test_it_stays_for_a_while_after_a_run_has_ended(store: Store, clock: FakeClock) -> None:
    temporary = await begun(store)
    run = make_run(temporary)
    leased = make_run(
        temporary, id=run.id, status=RunStatus.IN_PROGRESS, lease_owner="x", attempt=1
    )
    await store.runs.add(run, announced, leased=leased)
    clock.now = LATER  # so long did it take
    ended = [RunEvent(2, "thread.run.completed", "{}")]
    fence = Fence(run.id, "x", 1)
    await store.runs.save(fence, changes={"status": RunStatus.COMPLETED}, events=ended)

    await store.threads.forget_left(since=LATER)
    assert await known(store, temporary)

    await store.threads.forget_left(since=LATER + 1)
    assert not await known(store, temporary)


@pytest.mark.parametrize("way", ["delete", "forget_left"])
async def test_everything_goes_with_it(store: Store, database_url: str, way: str) -> None:
    temporary = await begun(store)
    await store.runs.add(make_run(temporary, status=RunStatus.COMPLETED), announced)

    if way == "delete":
        await store.threads.delete(OWNER, temporary)
    else:
        await store.threads.forget_left(since=LATER)

    url = database_url.replace("+aiosqlite", "").replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in (threads, messages, runs, run_steps, run_events):
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name
    engine.dispose()


@pytest.mark.parametrize("way", ["delete", "forget_left"])
async def test_the_files_that_a_model_has_made_go_with_it(store: Store, way: str) -> None:
    picture, table, given, other = [
        await store.files.add(make_file(purpose=purpose))
        for purpose in ("assistants_output", "assistants_output", "assistants", "assistants_output")
    ]
    temporary = await begun(store)
    path = {"type": "file_path", "file_path": {"file_id": table.id}}
    await store.messages.add(
        make_message(
            temporary,
            role="assistant",
            run_id="run_1",
            content=[
                {"type": "image_file", "image_file": {"file_id": picture.id}},
                {"type": "text", "text": {"value": f"see {given.id}", "annotations": [path]}},
            ],
        )
    )
    shown = {"type": "image_file", "image_file": {"file_id": other.id}}
    await store.messages.add(make_message(temporary, content=[shown]))

    if way == "delete":
        await store.threads.delete(OWNER, temporary)
    else:
        await store.threads.forget_left(since=LATER)

    left = await store.files.page(OWNER, PageQuery(), NOW)
    # What the person has given it, or shown it from elsewhere, is not its own.
    assert {file.id for file in left.items} == {given.id, other.id}
    assert {file.id for file in await store.files.expired(NOW)} == {picture.id, table.id}


@pytest.mark.parametrize("owner", [OWNER, "somebody else"])
async def test_files_that_a_model_only_speaks_of_stay(store: Store, owner: str) -> None:
    made = await store.files.add(make_file(purpose="assistants_output", owner=owner))
    temporary = await begun(store)
    source = {"type": "file_citation", "file_citation": {"file_id": made.id}}
    picture = json.dumps({"image_file": {"file_id": made.id}})
    said = {"type": "text", "text": {"value": f"{made.id} {picture}", "annotations": [source]}}
    await store.messages.add(make_message(temporary, run_id="run_1", content=[said]))

    await store.threads.delete(OWNER, temporary)

    assert await store.files.get(owner, made.id, NOW) == made


async def test_files_of_others_stay_whatever_is_shown(store: Store) -> None:
    theirs = await store.files.add(make_file(purpose="assistants_output", owner="somebody else"))
    temporary = await begun(store)
    picture = {"type": "image_file", "image_file": {"file_id": theirs.id}}
    await store.messages.add(make_message(temporary, run_id="run_1", content=[picture]))

    await store.threads.delete(OWNER, temporary)

    assert await store.files.get("somebody else", theirs.id, NOW) == theirs


async def test_files_stay_where_an_ordinary_thread_goes(store: Store) -> None:
    made = await store.files.add(make_file(purpose="assistants_output"))
    ordinary = await begun(store, temporary=False)
    picture = {"type": "image_file", "image_file": {"file_id": made.id}}
    await store.messages.add(make_message(ordinary, run_id="run_1", content=[picture]))

    await store.threads.delete(OWNER, ordinary)

    assert await store.files.get(OWNER, made.id, NOW) == made
