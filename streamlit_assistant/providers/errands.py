"""What is found out beside a run: each thing once, however many want to know, and none for long."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

logger = logging.getLogger(__name__)


class Errands:
    """Things that are being found out. `close` it before what they are asked of."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    def begin(self, name: Hashable, errand: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin with something, unless that is under way already."""
        if name not in self._tasks:
            task = asyncio.create_task(errand())
            self._tasks[name] = task
            task.add_done_callback(lambda task: self._end(name, task))

    async def wait(self, name: Hashable, seconds: float) -> None:
        """Wait for something that is under way; after so many seconds it goes on without us."""
        if (task := self._tasks.get(name)) is not None:
            await asyncio.wait([task], timeout=seconds)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, name: Hashable, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("something could not be found out", exc_info=error)
