"""What messages attach becomes the thread's."""

from typing import Any

import pytest

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.records import PageQuery, Thread
from streamlit_assistant.store import Store
from streamlit_assistant.store.thread_attachments import attach_to_thread
from tests.conftest import FakeClock
from tests.factories import OWNER, make_message, make_thread
from tests.file_factories import add_files, add_vector_store, make_store_file, static

pytestmark = pytest.mark.both_databases

DAY = 86_400


def attached(file_id: str, *tools: str) -> dict[str, Any]:
    return {"file_id": file_id, "tools": [{"type": tool} for tool in tools]}


async def attach(store: Store, thread_id: str, *attachments: dict[str, Any]) -> Thread:
    """Attach with one message and return the thread as it is then."""
    message = make_message(thread_id, attachments=list(attachments))
    await store._database.transact(lambda c: attach_to_thread(c, thread_id, [message]))
    return await store.threads.get(OWNER, thread_id)


async def new_thread(store: Store, **resources: Any) -> str:
    return (await store.threads.add(make_thread(tool_resources=resources))).id


async def files_in(store: Store, thread: Thread) -> list[str]:
    (store_id,) = thread.tool_resources["file_search"]["vector_store_ids"]
    page = await store.vector_store_files.page(store_id, PageQuery(100, "asc"))
    return [file.id for file in page.items]


async def test_the_first_file_to_search_makes_a_store_that_expires(store: Store) -> None:
    ids = await add_files(store, 3)
    thread_id = await new_thread(store)

    await attach(store, thread_id, attached(ids[0], "file_search"))
    files = [attached(ids[1], "file_search"), attached(ids[2], "file_search", "code_interpreter")]
    thread = await attach(store, thread_id, *files)

    (store_id,) = thread.tool_resources["file_search"]["vector_store_ids"]
    made = await store.vector_stores.get(OWNER, store_id)
    assert await files_in(store, thread) == ids
    assert made.expires_after == {"anchor": "last_active_at", "days": 7}
    assert made.expires_at == made.last_active_at + 7 * DAY
    assert thread.tool_resources["code_interpreter"] == {"file_ids": [ids[2]]}


async def test_a_file_that_the_store_has_already_stays_as_it_was_cut(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1)
    thread_id = await new_thread(store, file_search={"vector_store_ids": [store_id]})
    cut = make_store_file(file_id, store_id, chunking_strategy=static(100, 0))
    await store.vector_store_files.add(OWNER, cut)

    await attach(store, thread_id, attached(file_id, "file_search"))

    found = await store.vector_store_files.get(store_id, file_id)
    assert found.chunking_strategy == static(100, 0)


async def test_a_deleted_store_is_replaced(store: Store) -> None:
    store_id, _ = await add_vector_store(store)
    (file_id,) = await add_files(store, 1)
    thread_id = await new_thread(store, file_search={"vector_store_ids": [store_id]})
    await store.vector_stores.delete(OWNER, store_id)

    thread = await attach(store, thread_id, attached(file_id, "file_search"))

    assert await files_in(store, thread) == [file_id]
    assert thread.tool_resources["file_search"]["vector_store_ids"] != [store_id]


async def test_an_expired_store_takes_nothing(store: Store, clock: FakeClock) -> None:
    week = {"anchor": "last_active_at", "days": 7}
    store_id, _ = await add_vector_store(store, expires_after=week)
    (file_id,) = await add_files(store, 1)
    thread_id = await new_thread(store, file_search={"vector_store_ids": [store_id]})
    message = make_message(
        thread_id,
        attachments=[attached(file_id, "file_search")],
        created_at=int(clock.now) + 7 * DAY,
    )

    with pytest.raises(InvalidRequest, match="has expired"):
        await store._database.transact(lambda c: attach_to_thread(c, thread_id, [message]))


@pytest.mark.parametrize("tools", [(), ("file_search",), ("code_interpreter",)])
async def test_an_unknown_file_is_named(store: Store, tools: tuple[str, ...]) -> None:
    (theirs,) = await add_files(store, 1, owner="stranger")
    thread_id = await new_thread(store)

    for file_id in ("file-unknown", theirs):
        with pytest.raises(NotFound, match=f"No such File object: {file_id}"):
            await attach(store, thread_id, attached(file_id, *tools))

    assert (await store.threads.get(OWNER, thread_id)).tool_resources == {}


async def test_a_picture_can_be_computed_with_but_not_searched(store: Store) -> None:
    (file_id,) = await add_files(store, 1, filename="photo.png")
    thread_id = await new_thread(store)

    with pytest.raises(InvalidRequest, match=r"\[\.png\] are not supported for retrieval"):
        await attach(store, thread_id, attached(file_id, "file_search"))
    thread = await attach(store, thread_id, attached(file_id, "code_interpreter"))

    assert thread.tool_resources == {"code_interpreter": {"file_ids": [file_id]}}


async def test_code_may_read_twenty_files_of_a_thread(store: Store) -> None:
    ids = await add_files(store, 21)
    thread_id = await new_thread(store, code_interpreter={"file_ids": ids[:19]})

    thread = await attach(store, thread_id, *(attached(i, "code_interpreter") for i in ids[18:20]))

    assert thread.tool_resources["code_interpreter"]["file_ids"] == ids[:20]
    with pytest.raises(InvalidRequest, match="at most 20"):
        await attach(store, thread_id, attached(ids[20], "code_interpreter"))
