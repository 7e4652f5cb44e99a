"""Whole threads as they leave the database.

A thread that leaves is not deleted for anybody: its copies in other stores stay where they are.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, exists, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.archived_rows import Piece, read_pieces, thread_line
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.mirror_tables import mirror_outbox, mirrors
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import IS_ACTIVE, runs, threads

ARCHIVING = 0x5A4E  # the advisory lock of whoever archives

_MINE = runs.c.thread_id == threads.c.id
_AT_WORK = exists().where(_MINE, IS_ACTIVE)
# A mirror reads from here what it has not got yet: what was noted for it, and all from before it.
_NOTED = threads.c.id.in_(select(mirror_outbox.c.thread_id))
_UNCOPIED = exists().where(
    threads.c.seq > mirrors.c.copied_until, threads.c.seq <= mirrors.c.threads_until
)
_AWAITED = _NOTED | _UNCOPIED
_LOCKED = select(threads.c.seq).where(threads.c.id == text(":thread_id")).with_for_update()


class DatabaseTrouble(Exception):
    """The database cannot be used; the text says why."""


class Removal(StrEnum):
    """What became of a thread that was to leave."""

    REMOVED = "removed"
    CHANGED = "changed"  # since it was read; it stays
    GONE = "gone"  # somebody has deleted it


@dataclass(frozen=True)
class OldThread:
    """A thread that may leave."""

    seq: int
    id: str
    last_active_at: int
    message_count: int


@dataclass(frozen=True)
class HeldBack:
    """How many old threads may not leave yet, by the reason."""

    at_work: int
    awaited: int


class ArchivedThreads:
    """Reads and removes whole threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revision(self) -> str | None:
        """Return the revision of the database's schema, None if it is no database of ours."""
        known = text("SELECT version_num FROM alembic_version")
        with plain_failures():
            async with self._database.read() as connection:
                tables = await connection.run_sync(lambda bare: inspect(bare).get_table_names())
                if "alembic_version" not in tables:
                    return None
                return str((await connection.execute(known)).scalar())

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Say whether nobody else archives, on any machine, and let nobody until the block ends.

        Processes on one SQLite file are on one machine: they have to agree by themselves.
        """
        if not self._database.is_shared:
            yield True
            return
        lock, unlock = (
            text(f"SELECT pg_{name}({ARCHIVING})")
            for name in ("try_advisory_lock", "advisory_unlock")
        )
        async with self._database.read() as connection:
            with plain_failures():
                is_alone = bool((await connection.execute(lock)).scalar())
            yield is_alone
            if is_alone:
                with plain_failures():
                    await connection.execute(unlock)

    async def old(self, before: int, after_seq: int, limit: int) -> Sequence[OldThread]:
        """Return threads in which nothing has happened since a time and that may leave."""
        query = (
            select(threads)
            .where(*_unused_since(before), ~_AT_WORK, ~_AWAITED, threads.c.seq > after_seq)
            .order_by(threads.c.seq)
            .limit(limit)
        )
        with plain_failures():
            async with self._database.read() as connection:
                found = await connection.execute(query)
                return [to_record(OldThread, row) for row in found.mappings()]

    async def held_back(self, before: int) -> HeldBack:
        """Return how many threads are as old and may not leave."""
        count = select(func.count()).select_from(threads).where(*_unused_since(before))
        with plain_failures():
            async with self._database.read() as connection:
                at_work = (await connection.execute(count.where(_AT_WORK))).scalar()
                awaited = (await connection.execute(count.where(~_AT_WORK, _AWAITED))).scalar()
        return HeldBack(at_work or 0, awaited or 0)

    async def pieces(self, thread_id: str) -> AsyncIterator[Piece]:
        """Yield the thread's rows, a piece at a time; it may change meanwhile."""
        with plain_failures():
            async with self._database.read() as connection:
                async for piece in read_pieces(connection, thread_id):
                    yield piece

    async def own_line(self, thread_id: str) -> bytes | None:
        """Return the line of the thread's own row, None if there is no such thread."""
        with plain_failures():
            async with self._database.read() as connection:
                return await thread_line(connection, thread_id)

    async def is_awaited(self, thread_id: str) -> bool:
        """Whether a mirror has not got all of a thread yet.

        That costs a look through all that is noted for mirrors. It need not be asked again where
        the thread has not changed since: changes are noted together with what they change.
        """
        query = select(threads.c.seq).where(threads.c.id == thread_id, _AWAITED)
        with plain_failures():
            async with self._database.read() as connection:
                return (await connection.execute(query)).first() is not None

    async def remove(self, thread_id: str, mark: str) -> Removal:
        """Remove a thread if the marks of its pieces are still those with this hash."""
        mine = threads.c.id == thread_id
        still_free = select(threads.c.seq).where(mine, ~_AT_WORK, ~_UNCOPIED)

        async def remove(connection: AsyncConnection) -> Removal:
            if (await connection.execute(_LOCKED, {"thread_id": thread_id})).first() is None:
                return Removal.GONE
            if (await connection.execute(still_free)).first() is None:
                return Removal.CHANGED
            present = hashlib.sha256()
            async for piece in read_pieces(connection, thread_id, lock=True):
                present.update(piece.mark)
            if present.hexdigest() != mark:
                return Removal.CHANGED
            await connection.execute(delete(threads).where(mine))
            return Removal.REMOVED

        with plain_failures():
            return await self._database.transact(remove)


@contextmanager
def plain_failures() -> Iterator[None]:
    """Raise `DatabaseTrouble` for what the database refuses."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise DatabaseTrouble(f"The database cannot be used ({cause}).") from error


def _unused_since(before: int) -> tuple[ColumnElement[bool], ...]:
    return (
        threads.c.last_active_at < before,
        ~threads.c.temporary,
        ~exists().where(_MINE, runs.c.created_at >= before),
    )
