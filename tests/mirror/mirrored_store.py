"""Stores that get copies, and processes that deliver them, in the test's own process."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.messages import BaseMessage

from streamlit_assistant.history import open_history
from streamlit_assistant.history.addresses import open_log
from streamlit_assistant.history.entries import Entry, MessageLog
from streamlit_assistant.mirror import Mirroring, Target
from streamlit_assistant.process_identity import this_process
from streamlit_assistant.store import Store

PATIENCE = 20.0  # seconds; generous, for machines that do other work as well
LOOK = 0.05
LONGEST_PAUSE = 0.2


def wait_until(holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until something holds, where nothing else has to go on."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds, which may take its time to find out."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


async def until_so(holds: Callable[[], Awaitable[Any]]) -> None:
    """The same for what has to be awaited."""
    deadline = time.monotonic() + PATIENCE
    while not await holds():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.01)


async def until_delivered(store: Store) -> None:
    """Wait until every mirror has got everything."""

    async def delivered() -> bool:
        known = await store.mirrors.backlogs()
        return bool(known) and not any(backlog.pending for backlog in known)

    await until_so(delivered)


def copied(url: str, thread_id: str) -> list[BaseMessage]:
    """The copy of a thread, as a LangChain program reads it."""
    return open_history(url, thread_id).messages


def copied_ids(url: str, thread_id: str) -> list[str | None]:
    """The ids of the messages in the copy of a thread, in its order."""
    return [message.id for message in copied(url, thread_id)]


async def register(store: Store, name: str) -> None:
    """Make a process known to the others."""
    await store.executors.register(name, "all", this_process(), 3600)


@asynccontextmanager
async def delivering(
    store: Store, *urls: str, name: str = "one", **options: Any
) -> AsyncIterator[Mirroring]:
    """A process that delivers to these stores until the block ends."""
    pace = {"look": LOOK, "longest_pause": LONGEST_PAUSE}
    targets = [Target.at(url) for url in urls]
    mirroring = Mirroring(store, targets, lambda: name, time.time, **{**pace, **options})
    mirroring.start()
    try:
        yield mirroring
    finally:
        await mirroring.stop()


class Gate:
    """Opens logs that hold still before they write, until the test lets them go on."""

    def __init__(self) -> None:
        self.reached, self.open, self.passed = (threading.Event() for _ in range(3))

    def opened(self, url: str, session_id: str) -> MessageLog:
        return GatedLog(self, open_log(url, session_id))


class GatedLog:
    """A log that waits at a gate before each append."""

    def __init__(self, gate: Gate, log: MessageLog) -> None:
        self.gate = gate
        self.log = log

    def append(self, entries: Sequence[Entry]) -> None:
        self.gate.reached.set()
        assert self.gate.open.wait(PATIENCE)
        self.log.append(entries)
        self.gate.passed.set()

    def read(self) -> Sequence[str]:
        return self.log.read()

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        return self.log.search(words, limit)

    def remove(self, keys: Collection[str]) -> None:
        self.log.remove(keys)

    def clear(self) -> None:
        self.log.clear()

    def close(self) -> None:
        self.log.close()
