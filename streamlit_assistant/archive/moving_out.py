"""Old threads leave the database for the archive.

A thread is written and read back before it is removed, and it is removed only if it is still what
was written. Whenever the process ends, every thread is in the database, in the archive, or in both.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamlit_assistant.archive.archive_errors import ArchiveError, BrokenObject
from streamlit_assistant.archive.places import Place
from streamlit_assistant.archive.thread_object import Header, ObjectWriter, Written, whole_sha256
from streamlit_assistant.records import Clock
from streamlit_assistant.store.archived_threads import (
    ArchivedThreads,
    DatabaseTrouble,
    OldThread,
    Removal,
)

AT_ONCE = 4  # threads; while one waits for the disk or the network, others are read
PAGE = 200


@dataclass
class Moved:
    """What has been moved so far, and what was not."""

    threads: int = 0
    messages: int = 0
    size: int = 0  # bytes, in the archive
    outcomes: Counter[Removal] = field(default_factory=Counter)
    gone: list[str] = field(default_factory=list)  # deleted by somebody, and in the archive
    trouble: Exception | None = None


async def old_threads(threads: ArchivedThreads, before: int) -> AsyncIterator[list[OldThread]]:
    """Yield the threads that may leave, page by page."""
    after = 0
    while page := await threads.old(before, after, PAGE):
        yield [*page]
        after = page[-1].seq


class MovingOut:
    """Moves threads to a place."""

    def __init__(self, threads: ArchivedThreads, place: Place, clock: Clock) -> None:
        self._threads = threads
        self._place = place
        self._clock = clock
        self.moved = Moved()

    async def run(self, before: int) -> Moved:
        """Move what has been left alone since a time; stop where the place or database fails."""
        async for page in old_threads(self._threads, before):
            waiting = iter(page)
            await asyncio.gather(*(self._work(waiting) for _ in range(AT_ONCE)))
            if self.moved.trouble is not None:
                break
        return self.moved

    async def _work(self, waiting: Iterator[OldThread]) -> None:
        for thread in waiting:
            if self.moved.trouble is not None:
                return
            try:
                await self._move(thread.id)
            except (ArchiveError, DatabaseTrouble) as error:
                self.moved.trouble = self.moved.trouble or error

    async def _move(self, thread_id: str) -> None:
        mark = hashlib.sha256()
        written = await self._put(thread_id, mark.update)
        if written is None:
            self.moved.outcomes[Removal.CHANGED] += 1
            return
        await asyncio.to_thread(self._read_back, thread_id, written)
        removal = await self._threads.remove(thread_id, mark.hexdigest())
        self.moved.outcomes[removal] += 1
        if removal is Removal.REMOVED:
            self.moved.threads += 1
            self.moved.messages += written.rows["messages"]
            self.moved.size += written.size
        elif removal is Removal.CHANGED:
            # It is in the database, as it is by now.
            await asyncio.to_thread(self._place.remove, thread_id)
        else:
            self.moved.gone.append(thread_id)

    async def _put(self, thread_id: str, mark: Callable[[bytes], None]) -> Written | None:
        own_line = await self._threads.own_line(thread_id)
        if own_line is None:
            return None
        with self._place.draft(thread_id) as draft:
            writer = ObjectWriter(draft, self._header(json.loads(own_line)["row"]))
            async for piece in self._threads.pieces(thread_id):
                mark(piece.mark)
                await asyncio.to_thread(writer.add, piece.table, piece.lines)
            # What was removed while it was read is not whole, and must not replace what is.
            is_whole = own_line == await self._threads.own_line(thread_id)
            if not is_whole or await self._threads.is_awaited(thread_id):
                return None
            written = writer.end()
            await asyncio.to_thread(self._place.publish, thread_id, draft)
        return written

    def _read_back(self, thread_id: str, written: Written) -> None:
        try:
            found = whole_sha256(self._place.chunks(thread_id))
        except BrokenObject:
            found = "damaged"
        if found != written.whole_sha256:
            raise BrokenObject(
                f"{self._place} gives back something else than was written of {thread_id}; "
                "the thread stays in the database."
            )

    def _header(self, row: Mapping[str, Any]) -> Header:
        return Header(
            thread_id=row["id"],
            title=row["title"],
            created_at=row["created_at"],
            last_active_at=row["last_active_at"],
            messages=row["message_count"],
            archived_at=int(self._clock()),
        )
