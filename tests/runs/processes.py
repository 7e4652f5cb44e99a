"""Executors that share a database, each with its own connections, as in processes of their own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streamlit_assistant.runs import EventHub, Pace, RunExecutor
from streamlit_assistant.store import Store
from tests.runs.test_executor import Site
from tests.scripted_provider import ScriptedProvider

HURRIED = Pace(heartbeat=0.2, lease=0.8, look=0.2, drain=0.05)


class Process(Site):
    """A site that may be killed."""

    def __init__(self, store: Store, provider: ScriptedProvider, **options: Any) -> None:
        super().__init__(store, time.time, provider)  # type: ignore[arg-type]
        self.hub = EventHub(store, HURRIED)
        self.executor = RunExecutor(
            store, self.hub, provider, self.files.toolbox, time.time, pace=HURRIED, **options
        )


Start = Callable[..., Awaitable[Process]]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await holds():  # noqa: ASYNC110 - a row of the database is waited for
            await asyncio.sleep(0.02)
