"""Deliverers at work: what there was before, what comes, who delivers, and who takes over."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamlit_assistant.history.addresses import open_log
from streamlit_assistant.history.entries import Entry, MessageLog
from streamlit_assistant.history.history_errors import HistoryUnavailable
from streamlit_assistant.records import Message, Thread
from streamlit_assistant.store import Store
from streamlit_assistant.store.mirrors import Backlog
from tests.factories import OWNER, make_message, make_thread
from tests.mirror.mirrored_store import (
    Gate,
    GatedLog,
    copied,
    copied_ids,
    delivering,
    register,
    until,
    until_delivered,
    until_so,
)

pytestmark = pytest.mark.both_databases


@pytest.fixture
def copies(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'copies.db'}"


async def stored(store: Store, count: int, **fields: object) -> tuple[Thread, list[Message]]:
    thread = make_thread(**fields)
    messages = [make_message(thread.id, f"m{n}") for n in range(count)]
    return await store.threads.add(thread, messages), messages


def ids(messages: list[Message]) -> list[str | None]:
    return [message.id for message in messages]


async def backlog(store: Store) -> Backlog:
    [only] = await store.mirrors.backlogs()
    return only


async def test_threads_from_before_are_copied_and_then_what_comes(
    store: Store, copies: str
) -> None:
    old = [await stored(store, count) for count in (1, 0, 3, 250, 2)]
    _, never = await stored(store, 2, temporary=True)
    await register(store, "one")

    async with delivering(store, copies):
        await until(lambda: copied_ids(copies, old[-1][0].id) == ids(old[-1][1]))
        more = make_message(old[2][0].id, "more")
        await store.messages.add(more)
        await until(lambda: copied_ids(copies, old[2][0].id) == [*ids(old[2][1]), more.id])
        await until_delivered(store)

    for thread, messages in (*old[:2], *old[3:]):
        assert copied_ids(copies, thread.id) == ids(messages)
    assert copied_ids(copies, never[0].thread_id) == []
    assert (await backlog(store)).mirror.delivered == 1 + 3 + 250 + 2 + 1


async def test_what_is_written_while_a_mirror_comes_is_copied_once_and_in_order(
    store: Store, copies: str
) -> None:
    threads = [await stored(store, 2) for _ in range(8)]
    await register(store, "one")

    async def write(thread: Thread, messages: list[Message]) -> None:
        for n in range(15):
            messages.append(make_message(thread.id, f"new {n}"))
            await store.messages.add(messages[-1])

    async with asyncio.TaskGroup() as writing, delivering(store, copies):
        for thread, messages in threads:
            writing.create_task(write(thread, messages))
        await until(lambda: copied_ids(copies, threads[-1][0].id)[16:])
        await until_delivered(store)

    for thread, messages in threads:
        assert copied_ids(copies, thread.id) == ids(messages)


async def test_who_is_told_delivers_at_once(store: Store, copies: str) -> None:
    thread, [message] = await stored(store, 1)
    await register(store, "one")

    async with delivering(store, copies, look=3600):
        await until(lambda: copied_ids(copies, thread.id) == [message.id])
        later = make_message(thread.id)
        await store.messages.add(later)
        await until(lambda: copied_ids(copies, thread.id) == [message.id, later.id])


async def test_what_is_deleted_goes_from_the_copies_as_well(store: Store, copies: str) -> None:
    thread, messages = await stored(store, 3)
    other, its = await stored(store, 2)
    await register(store, "one")

    async with delivering(store, copies):
        await until(lambda: copied_ids(copies, other.id) == ids(its))
        await store.messages.delete(thread.id, messages[1].id)
        await until(lambda: copied_ids(copies, thread.id) == ids([messages[0], messages[2]]))
        await store.messages.delete_all(thread.id)
        again = make_message(thread.id, "again")
        await store.messages.add(again)
        await until(lambda: copied_ids(copies, thread.id) == [again.id])
        await store.threads.delete(OWNER, thread.id)
        await until(lambda: copied_ids(copies, thread.id) == [])

    assert copied_ids(copies, other.id) == ids(its)


async def test_what_is_deleted_before_it_is_copied_is_never_copied(
    store: Store, copies: str
) -> None:
    await store.mirrors.register({"elsewhere": "redis"})
    await register(store, "one")
    async with delivering(store, copies):
        await until_delivered(store)
    thread, messages = await stored(store, 3)
    await store.messages.delete(thread.id, messages[1].id)
    gone, _ = await stored(store, 2)
    await store.threads.delete(OWNER, gone.id)

    async with delivering(store, copies):
        await until_delivered(store)

    assert copied_ids(copies, thread.id) == ids([messages[0], messages[2]])
    assert copied_ids(copies, gone.id) == []


async def is_held(store: Store) -> bool:
    return any(backlog.mirror.lease_owner for backlog in await store.mirrors.backlogs())


async def test_one_process_delivers_and_another_goes_on_when_it_is_gone(
    store: Store, copies: str
) -> None:
    await register(store, "one")
    await register(store, "two")
    gate = Gate()
    async with delivering(store, copies, name="one", opened=gate.opened):
        await until_so(lambda: is_held(store))
        async with delivering(store, copies, name="two"):
            thread, messages = await stored(store, 2)
            await until(gate.reached.is_set)
            await asyncio.sleep(0.2)  # in which the second looks several times
            assert copied_ids(copies, thread.id) == []
            await store.executors.bury(["one"])

            await until(lambda: copied_ids(copies, thread.id) == ids(messages))

            gate.open.set()


@pytest.mark.parametrize("in_time", [True, False])
async def test_one_that_was_thought_dead_harms_nothing(
    store: Store, copies: str, in_time: bool
) -> None:
    await register(store, "one")
    await register(store, "two")
    gate = Gate()
    async with delivering(store, copies, name="one", opened=gate.opened):
        thread, messages = await stored(store, 3)
        await until(gate.reached.is_set)
        await store.executors.bury(["one"])
        if not in_time:
            await store.messages.delete(thread.id, messages[1].id)
        async with delivering(store, copies, name="two"):
            await until_delivered(store)
            if in_time:
                await store.messages.delete(thread.id, messages[1].id)
            later = make_message(thread.id, "later")
            await store.messages.add(later)
            left = [messages[0].id, messages[2].id, later.id]
            await until(lambda: copied_ids(copies, thread.id) == left)

            gate.open.set()  # and it writes all three once more
            await until(gate.passed.is_set)

            await until(lambda: copied_ids(copies, thread.id) == left)
            await until_delivered(store)
            assert copied_ids(copies, thread.id) == left


async def test_one_that_was_thought_dead_brings_no_deleted_thread_back(
    store: Store, copies: str
) -> None:
    await register(store, "one")
    await register(store, "two")
    gate = Gate()
    async with delivering(store, copies, name="one", opened=gate.opened):
        thread, _ = await stored(store, 3)
        await until(gate.reached.is_set)
        await store.executors.bury(["one"])
        async with delivering(store, copies, name="two"):
            await store.threads.delete(OWNER, thread.id)
            await until_delivered(store)

            gate.open.set()
            await until(lambda: copied(copies, thread.id))

            await until(lambda: not copied(copies, thread.id))


async def test_a_store_whose_library_has_a_defect_is_away_until_it_is_mended(
    store: Store, copies: str, tmp_path: Path
) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    tries: list[str] = []

    def opened(url: str, session_id: str) -> MessageLog:
        if "other.db" in url and len(tries) < 3:
            tries.append(url)
            raise RuntimeError("handle has been terminated")
        return open_log(url, session_id)

    async def has_broken() -> bool:
        known = await store.mirrors.backlogs()
        return [backlog.mirror.away_since is not None for backlog in known] == [False, True]

    await register(store, "one")
    async with delivering(store, copies, other, opened=opened):
        await until_delivered(store)
        thread, messages = await stored(store, 2)
        await until_so(has_broken)
        await until(lambda: copied_ids(copies, thread.id) == ids(messages))
        await until(lambda: copied_ids(other, thread.id) == ids(messages))
        await until_delivered(store)

    assert [b.mirror.away_since for b in await store.mirrors.backlogs()] == [None, None]


async def test_a_store_that_is_away_is_asked_with_one_message_and_then_gets_all(
    store: Store, copies: str
) -> None:
    brought: list[int] = []

    class Returning(GatedLog):
        """A log of a store that takes nothing before it is tried for the fourth time."""

        def append(self, entries: Sequence[Entry]) -> None:
            brought.append(len(entries))
            if len(brought) < 4:
                raise HistoryUnavailable("it is away")
            self.log.append(entries)

    old, its = await stored(store, 30)
    await register(store, "one")
    async with delivering(
        store, copies, opened=lambda url, name: Returning(Gate(), open_log(url, name))
    ):
        await until(lambda: copied_ids(copies, old.id) == ids(its))
        assert brought == [30, 1, 1, 1, 29]

        brought.clear()
        new, messages = await stored(store, 30)
        await until(lambda: copied_ids(copies, new.id) == ids(messages))
        assert brought == [30, 1, 1, 1, 29]


async def test_a_target_that_is_no_longer_named_is_forgotten_and_copied_anew_when_it_is_again(
    store: Store, copies: str
) -> None:
    await register(store, "one")
    async with delivering(store, copies):
        await until_delivered(store)
    async with delivering(store):

        async def is_forgotten() -> bool:
            return await store.mirrors.backlogs() == []

        await until_so(is_forgotten)
        thread, messages = await stored(store, 2)

    async with delivering(store, copies):
        await until(lambda: copied_ids(copies, thread.id) == ids(messages))


async def test_a_process_that_names_fewer_leaves_alone_what_another_delivers_to(
    store: Store, copies: str
) -> None:
    await register(store, "one")
    await register(store, "two")
    async with delivering(store, copies, name="one"):
        await until_delivered(store)
        await until_so(lambda: is_held(store))
        await store.mirrors.drop([], "two")
        thread, messages = await stored(store, 2)

        await until(lambda: copied_ids(copies, thread.id) == ids(messages))


async def test_a_process_that_only_takes_requests_delivers_and_forgets_nothing(
    store: Store, copies: str
) -> None:
    await register(store, "one")
    await store.mirrors.register({"elsewhere": "redis"})
    async with delivering(store, copies, works=False):
        await asyncio.sleep(0.2)

        assert [b.mirror.target for b in await store.mirrors.backlogs()] == ["elsewhere"]
