"""The indexer: takes the waiting files of vector stores and makes them searchable.

The rows are its queue, also that of other processes: each takes files under its name, and what a
killed one left is taken again. Vector stores are served in turn, so that one with thousands of
files does not keep the others waiting.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import NewChunk, WaitingFile
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.files.unreadable import INVALID_FILE, SERVER_ERROR, NotRead, Unreadable
from streamlit_assistant.store import Store
from streamlit_assistant.store.signals import EVERYTHING, FILES
from streamlit_assistant.supervision import supervise
from streamlit_assistant.waiting import came_within

MOST_FILES = 2  # at once: reading a document takes a processor
FIRST_REST, LONGEST_REST = 1.0, 60.0  # seconds before a file is tried again, doubling
HOUSEKEEPING_SECONDS = 3600
LOOK_AGAIN_SECONDS = 0.5  # how long a wait for the indexer may miss that somebody cancelled
MISSED_SECONDS = 2.0  # how long a file may wait that another process added, or left behind

logger = logging.getLogger(__name__)


class Reader(Protocol):
    """Cuts a document into chunks; raises `Unreadable`, or `NotRead` to be asked again."""

    async def read(
        self, path: Path, filename: str, max_chunk_tokens: int, overlap_tokens: int
    ) -> list[NewChunk]:
        """Return the chunks in order."""
        ...


class Keeper(Protocol):
    """Stores chunks so that they are found."""

    async def store_chunks(self, waiting: WaitingFile, new: Sequence[NewChunk]) -> None:
        """Put these chunks in place of a file's, if it is still to be indexed."""
        ...


@dataclass(frozen=True)
class _Busy:
    waiting: WaitingFile
    task: asyncio.Task[None]


class Indexer:
    """Indexes a bounded number of files at once. `start` before use, `stop` at the end."""

    def __init__(
        self,
        store: Store,
        library: FileLibrary,
        reader: Reader,
        keeper: Keeper,
        *,
        name: Callable[[], str],
        most_files: int = MOST_FILES,
    ) -> None:
        """`name` tells the name under which this process takes files at the moment."""
        self._store = store
        self._library = library
        self._reader = reader
        self._keeper = keeper
        self._name = name
        self._most_files = most_files
        self._behind = ""  # the vector store that was served last
        self._busy: dict[int, _Busy] = {}
        self._rests: dict[int, float] = {}  # seconds before what failed is tried again
        self._resting: set[int] = set()
        self._work = asyncio.Event()
        self._untidy = asyncio.Event()
        self._progress = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        store.signals.hear(self._hear)

    async def start(self) -> None:
        """Begin with what is waiting already."""
        loops = (self._dispatch, self._keep_house)
        self._loops = [asyncio.create_task(supervise(loop)) for loop in loops]

    async def stop(self) -> None:
        """End; what is not indexed waits for the next start."""
        tasks = [*self._loops, *(busy.task for busy in self._busy.values())]
        self._loops = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def notify(self) -> None:
        """Look at once at what is waiting, and at what has been deleted."""
        self._wake()
        self._store.signals.send(FILES)

    def _wake(self) -> None:
        self._work.set()
        self._untidy.set()

    def _hear(self, topic: str) -> None:
        if topic == FILES:
            self._wake()
        elif topic == EVERYTHING:
            self._work.set()

    async def wait_until_indexed(self, vector_store_ids: Sequence[str], seconds: float) -> bool:
        """Wait until nothing in the vector stores is being indexed; False where it takes longer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            progress = self._progress  # taken first: what ends after the question is not missed
            if not await self._store.vector_stores.being_indexed(vector_store_ids):
                return True
            left = deadline - loop.time()
            if left <= 0:
                return False
            await came_within(min(left, LOOK_AGAIN_SECONDS), progress)

    async def _dispatch(self) -> None:
        self._work.set()
        while True:
            await came_within(MISSED_SECONDS, self._work)
            self._work.clear()
            await self._stop_unwanted()
            while len(self._busy) < self._most_files:
                waiting = await self._take()
                if waiting is None:
                    break
                self._begin(waiting)

    def _begin(self, waiting: WaitingFile) -> None:
        task = asyncio.create_task(self._handle(waiting))
        self._busy[waiting.file.seq] = _Busy(waiting, task)
        task.add_done_callback(lambda _: self._ended(waiting))

    def _ended(self, waiting: WaitingFile) -> None:
        del self._busy[waiting.file.seq]
        self._work.set()
        self._progress.set()
        self._progress = asyncio.Event()

    async def _stop_unwanted(self) -> None:
        """Stop what was cancelled, removed or deleted, so that others do not wait behind it."""
        for busy in tuple(self._busy.values()):
            if not await self._store.index_queue.wants(busy.waiting):
                busy.task.cancel()
                await asyncio.wait([busy.task])
                await self._store.index_queue.clear(busy.waiting)

    async def _take(self) -> WaitingFile | None:
        queue, name, taken = self._store.index_queue, self._name(), [*self._busy, *self._resting]
        waiting = await queue.claim(name, self._behind, taken)
        if waiting is None and self._behind:
            waiting = await queue.claim(name, "", taken)
        if waiting is not None:
            self._behind = waiting.file.vector_store_id
        return waiting

    async def _handle(self, waiting: WaitingFile) -> None:
        seq = waiting.file.seq
        try:
            await self._index(waiting)
            self._rests.pop(seq, None)
        except Exception:  # a file must never be forgotten because the database failed
            logger.exception("a file was not indexed, trying it again", extra=_ids(waiting))
            self._rest(seq)

    async def _index(self, waiting: WaitingFile) -> None:
        queue = self._store.index_queue
        try:
            chunks = await self._read(waiting)
        except Unreadable as error:
            await queue.fail(waiting, error.code, error.message)
            await queue.clear(waiting)
            return
        # It may have been cancelled, removed or deleted meanwhile: then it must leave no traces.
        if not await queue.wants(waiting):
            return
        await self._keeper.store_chunks(waiting, chunks)
        usage_bytes = await asyncio.to_thread(_size, chunks)
        if not await queue.complete(waiting, usage_bytes):
            await queue.clear(waiting)

    async def _read(self, waiting: WaitingFile) -> list[NewChunk]:
        try:
            file = await self._library.get(waiting.owner, waiting.file.id)
            async with self._library.located(file) as path:
                chunks = await self._chunks(waiting, path, file.filename)
        except NotFound as error:
            raise Unreadable(INVALID_FILE, "The file has expired or was deleted.") from error
        if not chunks:
            raise Unreadable(INVALID_FILE, "The file holds no text.")
        return chunks

    async def _chunks(self, waiting: WaitingFile, path: Path, filename: str) -> list[NewChunk]:
        static = waiting.file.chunking_strategy["static"]
        size, overlap = static["max_chunk_size_tokens"], static["chunk_overlap_tokens"]
        try:
            return await self._reader.read(path, filename, size, overlap)
        except (Unreadable, NotRead):
            raise
        except Exception as error:  # reading it again would end the same way
            logger.exception("a file could not be read", extra=_ids(waiting))
            raise Unreadable(SERVER_ERROR, "The file could not be read.") from error

    def _rest(self, seq: int) -> None:
        seconds = self._rests.get(seq, FIRST_REST)
        self._rests[seq] = min(2 * seconds, LONGEST_REST)
        self._resting.add(seq)
        asyncio.get_running_loop().call_later(seconds, self._resume, seq)

    def _resume(self, seq: int) -> None:
        self._resting.discard(seq)
        self._work.set()

    async def _keep_house(self) -> None:
        while True:
            self._untidy.clear()
            await self._store.index_queue.tidy()
            await came_within(HOUSEKEEPING_SECONDS, self._untidy)


def _size(chunks: Sequence[NewChunk]) -> int:
    return sum(len(chunk.text.encode()) for chunk in chunks)


def _ids(waiting: WaitingFile) -> dict[str, str]:
    return {"file_id": waiting.file.id, "vector_store_id": waiting.file.vector_store_id}
