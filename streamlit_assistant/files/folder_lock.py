"""A lock among all tasks of all processes that use a folder; it ends with the process."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from streamlit_assistant.data_folder import PRIVATE_FILE
from streamlit_assistant.untorn import in_thread

LOOK_AGAIN_SECONDS = 0.005


class FolderLock:
    """Lets one in at a time."""

    def __init__(self, file: Path) -> None:
        """`file` is made where it is missing; its folder must be there when the lock is used."""
        self._file = file
        self._turn = asyncio.Lock()  # the tasks of this process queue here, which is fair

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep everybody else out until the block ends."""
        async with self._turn:
            with ExitStack() as opened:
                handle = await in_thread(_open, opened, self._file)
                # Asked again and again: a thread that waits would keep this process from ending
                # while a neighbour that holds the lock is stopped.
                while not await in_thread(_take, handle):  # noqa: ASYNC110  nobody would set an event
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
                yield


def _open(stack: ExitStack, path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    stack.callback(os.close, handle)
    return handle


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
