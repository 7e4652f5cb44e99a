"""A thread for calls that may hang."""

import asyncio
import threading

import pytest

from streamlit_assistant.mirror.worker_thread import WorkerThread


async def test_calls_are_done_one_after_the_other_and_their_errors_come_back() -> None:
    thread = WorkerThread("test")
    done: list[int] = []

    calls = [thread.do(lambda n=n: done.append(n)) for n in range(5)]  # type: ignore[misc]
    await asyncio.gather(*calls)
    with pytest.raises(ZeroDivisionError):
        await thread.do(lambda: 1 / 0)

    assert done == [0, 1, 2, 3, 4]
    assert await thread.do(threading.current_thread) is not threading.current_thread()
    thread.end()


async def test_who_is_cancelled_does_not_wait_for_a_call_that_hangs() -> None:
    thread = WorkerThread("test")
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait()

    hanging = asyncio.create_task(thread.do(hang))
    await asyncio.to_thread(begun.wait)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    go_on.set()
    worker = await thread.do(threading.current_thread)
    assert worker.daemon  # the process does not wait for it either
    thread.end()
    await asyncio.to_thread(worker.join, 10)
    assert not worker.is_alive()
