"""What was begun is done before a cancellation is heard, and nothing of it is lost."""

import asyncio
import threading

import pytest

from streamlit_assistant.untorn import in_thread, untorn


async def cancel_often(task: asyncio.Task[object], times: int = 3) -> None:
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)


async def test_the_result_is_given_to_who_waits() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await untorn(work()) == 7
    assert await in_thread(int, "11", base=2) == 3


async def test_work_goes_on_however_often_its_waiter_is_cancelled() -> None:
    go_on = asyncio.Event()
    done = []

    async def work() -> None:
        await go_on.wait()
        done.append(True)

    waiting = asyncio.create_task(untorn(work()))
    await asyncio.sleep(0)
    await cancel_often(waiting)
    assert not waiting.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == [True]


async def test_a_thread_is_waited_for() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(20)
        done.set()

    waiting = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 20)
    await cancel_often(waiting)
    assert not waiting.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done.is_set()


async def test_what_went_wrong_is_told_to_a_cancelled_waiter_as_well() -> None:
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        raise ValueError("torn")

    waiting = asyncio.create_task(untorn(work()))
    await asyncio.sleep(0)
    await cancel_often(waiting)
    go_on.set()

    with pytest.raises(ValueError, match="torn"):
        await waiting
