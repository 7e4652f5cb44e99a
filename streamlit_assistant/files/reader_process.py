"""One process that reads documents, as its parent sees it."""

import asyncio
import json
import os
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit_assistant
from streamlit_assistant.file_records import NewChunk
from streamlit_assistant.files.reader_complaints import log_complaints
from streamlit_assistant.files.unreadable import NotRead, Unreadable
from streamlit_assistant.records import JSON

MODULE = "streamlit_assistant.files.extraction_worker"
LENGTH = struct.Struct(">I")  # before each frame of an answer
PIPE_BYTES = 1024 * 1024
# All that a reader gets to know: keys and passwords are none of its business.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")


class ReaderDied(Exception):
    """The process ended in the middle of a document.

    `lacked_memory`: it aborted, which is how a library ends that is refused memory.
    """

    def __init__(self, *, lacked_memory: bool = False) -> None:
        super().__init__()
        self.lacked_memory = lacked_memory


class ReaderProcess:
    """Reads one document after the other; after a failure only `end` is left."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._is_clean = True  # the last answer was read to its end
        self.documents = 0

    @property
    def pid(self) -> int | None:
        """Under which number it runs, once it does."""
        return self._process.pid if self._process else None

    @property
    def is_ready(self) -> bool:
        """Whether it can take another document."""
        return self._is_clean and self._process is not None and self._process.returncode is None

    async def read(self, request: JSON) -> list[NewChunk]:
        """Return the chunks of a document; raise `Unreadable`, `ReaderDied` or `NotRead`."""
        self._is_clean = False
        self.documents += 1
        if self._process is None:
            try:
                self._process = await _start()
            except OSError as error:  # too many processes or open files, too little memory
                raise NotRead("no process to read documents could be started") from error
            assert self._process.stderr is not None
            self._listening = asyncio.create_task(log_complaints(self._process.stderr))
        try:
            return await self._ask(self._process, request)
        except (OSError, EOFError) as error:
            status = await self._process.wait()
            raise ReaderDied(lacked_memory=status == -signal.SIGABRT) from error

    async def end(self) -> None:
        """Kill it: it has nothing to save."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def _ask(self, process: Process, request: JSON) -> list[NewChunk]:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        chunks: list[NewChunk] = []
        while "done" not in (frame := await _frame(process)):
            if "code" in frame:
                self._is_clean = True
                raise Unreadable(frame["code"], frame["message"])
            chunks += [NewChunk(*fields) for fields in frame["chunks"]]
        self._is_clean = True
        return chunks


async def _start() -> Process:
    folder = str(Path(streamlit_assistant.__file__).parent.parent)
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", MODULE),  # -P: nothing is loaded from the folder it starts in
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=PIPE_BYTES,
        env={**kept, "PYTHONPATH": path},
        start_new_session=True,  # an interrupt at the terminal is for the server, which ends this
    )


async def _frame(process: Process) -> JSON:
    assert process.stdout is not None
    head = await process.stdout.readexactly(LENGTH.size)
    data = await process.stdout.readexactly(*LENGTH.unpack(head))
    frame: dict[str, Any] = await asyncio.to_thread(json.loads, data)
    return frame
