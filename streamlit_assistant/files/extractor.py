"""Reads documents in processes of their own: started when needed, ended when idle.

One document at a time a process. A document that takes too long, or that its reader dies of, fails
alone: the next one gets a new process.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from streamlit_assistant.file_records import NewChunk
from streamlit_assistant.files.reader_process import ReaderDied, ReaderProcess
from streamlit_assistant.files.unreadable import INVALID_FILE, SERVER_ERROR
from streamlit_assistant.files.unreadable import Unreadable as Unreadable  # for whoever calls
from streamlit_assistant.records import JSON

DOCUMENT_SECONDS = 300.0
IDLE_SECONDS = 60.0

TOO_SLOW = "Reading the file took too long and was given up."
TOO_LARGE = "Reading the file takes more memory than there is for it; divide it into several files."
DIED = "The program that read the file ended unexpectedly; the file may be too large or damaged."


class Extractor:
    """Gives the chunks of documents. `close` it at the end."""

    def __init__(
        self,
        *,
        workers: int = 1,
        document_seconds: float = DOCUMENT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`workers` is how many documents are read at once."""
        self._slots = asyncio.Semaphore(workers)
        self._document_seconds = document_seconds
        self._idle_seconds = idle_seconds
        self._idle: list[ReaderProcess] = []
        self._busy: set[ReaderProcess] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(
        self, path: Path, filename: str, max_chunk_tokens: int, overlap_tokens: int
    ) -> list[NewChunk]:
        """Return a document's chunks in order; raise `Unreadable` where there are none.

        `NotRead` says that it can be tried again.
        """
        request = {
            "path": str(path),
            "filename": filename,
            "max_tokens": max_chunk_tokens,
            "overlap_tokens": overlap_tokens,
        }
        async with self._slots:
            if self._idle:
                # One that was idle may have died of something else than this document.
                with suppress(ReaderDied):
                    return await self._ask(self._idle.pop(), request)
            if self._closed:
                raise Unreadable(SERVER_ERROR, DIED)
            try:
                return await self._ask(ReaderProcess(), request)
            except ReaderDied as error:
                if error.lacked_memory:
                    raise Unreadable(INVALID_FILE, TOO_LARGE) from error
                raise Unreadable(SERVER_ERROR, DIED) from error

    async def close(self) -> None:
        """End every process, also those that are reading."""
        self._closed = True
        for process in (*self._idle, *self._busy):
            self._end(process)
        self._idle.clear()
        while self._ending:
            await asyncio.gather(*self._ending)

    async def _ask(self, process: ReaderProcess, request: JSON) -> list[NewChunk]:
        self._busy.add(process)
        try:
            async with asyncio.timeout(self._document_seconds):
                return await process.read(request)
        except TimeoutError as error:
            raise Unreadable(SERVER_ERROR, TOO_SLOW) from error
        finally:
            self._busy.discard(process)
            self._release(process)

    def _release(self, process: ReaderProcess) -> None:
        if not process.is_ready:
            self._end(process)
            return
        self._idle.append(process)
        asyncio.get_running_loop().call_later(
            self._idle_seconds, self._end_idle, process, process.documents
        )

    def _end_idle(self, process: ReaderProcess, documents: int) -> None:
        if process in self._idle and process.documents == documents:
            self._idle.remove(process)
            self._end(process)

    def _end(self, process: ReaderProcess) -> None:
        ending = asyncio.ensure_future(process.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
