"""What is noted for mirrors, in which order, and that a failed change leaves no note."""

from dataclasses import replace

import pytest

from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import Message, MessageStatus, RunEvent, RunStatus, Thread
from streamlit_assistant.store import Fence, Store
from tests.factories import OWNER, make_message, make_run, make_thread

pytestmark = pytest.mark.both_databases

EVENT = [RunEvent(1, "thread.run.created", "{}")]
KINDS = {"a": "redis", "b": "kafka"}

Noted = list[tuple[str, str | None]]


def announced(_thread: Thread) -> list[RunEvent]:
    return EVENT


async def noted(store: Store, target: str = "a") -> Noted:
    return [(c.kind, c.message_id) for c in await store.mirror_outbox.changes(target, 1000)]


async def run_on(store: Store, thread_id: str) -> Fence:
    run = make_run(thread_id, status=RunStatus.IN_PROGRESS, lease_owner="me", attempt=1)
    await store.runs.add(run, announced)
    return Fence(run.id, "me", 1)


async def save(store: Store, fence: Fence, seq: int, **records: list[Message]) -> None:
    events = [RunEvent(seq, "e", "{}")]
    await store.runs.save(fence, changes={}, events=events, **records)  # type: ignore[arg-type]


@pytest.fixture
async def mirrored(store: Store) -> Store:
    await store.mirrors.register(KINDS)
    return store


async def test_without_mirrors_nothing_is_noted(store: Store) -> None:
    thread = make_thread()
    message = make_message(thread.id)
    await store.threads.add(thread, [message])
    await store.messages.delete(thread.id, message.id)
    await store.threads.delete(OWNER, thread.id)
    await store.mirrors.register(KINDS)

    assert await noted(store) == []


async def test_every_new_message_is_noted_once_for_each_mirror_in_order(mirrored: Store) -> None:
    thread = make_thread()
    first, second, third, fourth = (make_message(thread.id, f"{n}") for n in range(4))
    await mirrored.threads.add(thread, [first, second])
    await mirrored.messages.add(third)
    await mirrored.runs.add(make_run(thread.id), announced, [fourth])

    for target in KINDS:
        assert await noted(mirrored, target) == [
            ("message", message.id) for message in (first, second, third, fourth)
        ]


@pytest.mark.parametrize("status", [MessageStatus.COMPLETED, MessageStatus.INCOMPLETE])
async def test_an_answer_is_noted_when_it_is_over(mirrored: Store, status: MessageStatus) -> None:
    thread = await mirrored.threads.add(make_thread())
    fence = await run_on(mirrored, thread.id)
    answer = make_message(thread.id, role="assistant", status=MessageStatus.IN_PROGRESS)
    await save(mirrored, fence, 2, new=[answer])
    assert await noted(mirrored) == []

    await save(mirrored, fence, 3, changed=[replace(answer, status=status)])

    assert await noted(mirrored) == [("message", answer.id)]


async def test_an_answer_stored_twice_is_noted_once(mirrored: Store) -> None:
    thread = await mirrored.threads.add(make_thread())
    fence = await run_on(mirrored, thread.id)
    answer = make_message(thread.id, role="assistant")
    await save(mirrored, fence, 2, new=[answer])
    await save(mirrored, fence, 2, new=[answer])  # the confirmation got lost

    assert await noted(mirrored) == [("message", answer.id)]


async def test_what_was_refused_is_not_noted(mirrored: Store) -> None:
    thread = await mirrored.threads.add(make_thread())
    await run_on(mirrored, thread.id)

    with pytest.raises(InvalidRequest):
        await mirrored.messages.add(make_message(thread.id))
    with pytest.raises(InvalidRequest):
        await mirrored.runs.add(make_run(thread.id), announced, [make_message(thread.id)])

    assert await noted(mirrored) == []


async def test_what_is_removed_is_noted(mirrored: Store) -> None:
    thread = make_thread()
    messages = [make_message(thread.id, f"{n}") for n in range(3)]
    await mirrored.threads.add(thread, messages)
    first, second, third = (message.id for message in messages)
    before = await noted(mirrored)

    await mirrored.messages.delete(thread.id, second)
    await mirrored.messages.delete_all(thread.id)
    await mirrored.threads.delete(OWNER, thread.id)

    removals = (await noted(mirrored))[len(before) :]
    assert removals[0] == ("removed", second)
    assert sorted(removals[1:3]) == sorted([("removed", first), ("removed", third)])
    assert removals[3:] == [("cleared", None)]


async def test_what_is_temporary_is_never_noted(mirrored: Store) -> None:
    thread = make_thread(temporary=True)
    message = make_message(thread.id)
    await mirrored.threads.add(thread, [message])
    fence = await run_on(mirrored, thread.id)
    answer = make_message(thread.id, role="assistant", status=MessageStatus.IN_PROGRESS)
    await save(mirrored, fence, 2, new=[answer])
    await save(mirrored, fence, 3, changed=[replace(answer, status=MessageStatus.COMPLETED)])
    await mirrored.messages.delete(thread.id, message.id)
    await mirrored.threads.delete(OWNER, thread.id)

    assert await noted(mirrored) == []


async def test_a_change_is_noted_whatever_the_clock_says(mirrored: Store) -> None:
    thread = make_thread()
    message = make_message(thread.id, created_at=2**31)  # in 2038
    await mirrored.threads.add(thread, [message])

    assert await noted(mirrored) == [("message", message.id)]


async def test_a_target_is_registered_once_and_forgotten_with_its_changes(mirrored: Store) -> None:
    await mirrored.mirrors.register(KINDS)
    thread = make_thread()
    await mirrored.threads.add(thread, [make_message(thread.id)])

    await mirrored.mirrors.drop(["a"], "me")

    assert [b.mirror.target for b in await mirrored.mirrors.backlogs()] == ["a"]
    assert len(await noted(mirrored, "a")) == 1
    assert await noted(mirrored, "b") == []


async def test_a_backlog_counts_what_is_to_be_copied_of_before_and_nothing_temporary(
    store: Store,
) -> None:
    for temporary in (False, True):
        thread = make_thread(temporary=temporary)
        await store.threads.add(thread, [make_message(thread.id) for _ in range(3)])
    await store.mirrors.register({"a": "redis"})

    [backlog] = await store.mirrors.backlogs()

    assert backlog.pending == 3


async def test_a_backlog_tells_how_much_waits_and_since_when(mirrored: Store) -> None:
    thread = make_thread()
    messages = [make_message(thread.id, created_at=1_700_000_000 + n) for n in range(3)]
    await mirrored.threads.add(thread, messages)
    [first, *_] = await mirrored.mirror_outbox.changes("a", 1)
    await mirrored.mirror_outbox.delivered("a", [first.seq], [messages[0]], 0)

    here, other = await mirrored.mirrors.backlogs()

    assert (here.pending, here.oldest_at, here.mirror.delivered) == (2, 1_700_000_001, 1)
    assert (other.pending, other.oldest_at, other.mirror.delivered) == (3, 1_700_000_000, 0)
