"""What the tests of several executors have in common."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.conftest import opened_store
from tests.runs.processes import Process
from tests.scripted_provider import Line, ScriptedProvider


@pytest.fixture
async def start(database_url: str) -> AsyncIterator[Callable[..., Awaitable[Process]]]:
    """Start another process on the database of the test, with what its model will say."""
    async with AsyncExitStack() as stack:

        @asynccontextmanager
        async def running(scripts: tuple[list[Line], ...], **options: Any) -> AsyncIterator[Any]:
            async with opened_store(database_url, time.time) as store:
                process = Process(store, ScriptedProvider(*scripts), **options)
                await process.executor.start()
                yield process
                await process.executor.stop()

        async def start(*scripts: list[Line], **options: Any) -> Any:
            return await stack.enter_async_context(running(scripts, **options))

        yield start
