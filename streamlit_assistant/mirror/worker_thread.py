"""One thread for the calls to one store, which may hang: nobody else's calls wait for them.

The event loop's own threads, and those of files and database, are shared by all; and unlike them
this one does not hold up the end of the process.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Literal, TypeVar

T = TypeVar("T")


class WorkerThread:
    """Does blocking calls, one after the other. `end` it; one that hangs is left behind."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]
        self._calls = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def do(self, call: Callable[[], T]) -> T:
        """Return what a call returns. Whoever is cancelled does not wait for it any longer."""
        done: Future[T] = Future()
        self._calls.put((done, call))
        return await asyncio.wrap_future(done)

    def end(self) -> None:
        """Let it end after the calls it was given."""
        self._calls.put(None)

    def _work(self) -> None:
        while (order := self._calls.get()) is not None:
            done, call = order
            # Nobody wants what was cancelled before its turn came.
            if done.set_running_or_notify_cancel():
                with _Outcome(done):
                    done.set_result(call())


class _Outcome:
    """Hands an error over to whoever awaits the call."""

    def __init__(self, done: "Future[Any]") -> None:
        self._done = done

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[True]:
        if error is not None:
            self._done.set_exception(error)
        return True
