"""The outbox: the changes that a mirror has not got yet, and the threads from before its time.

Changes of a thread are read in the order in which they were made. Nobody remembers how far he has
read, because on PostgreSQL a lower number may be committed after a higher one: what is delivered
is deleted.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Update, delete, false, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import Clock, Message, MessageStatus
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.mirror_changes import CLEARED, REMOVED
from streamlit_assistant.store.mirror_tables import mirror_outbox, mirrors
from streamlit_assistant.store.mirrors import Mirror
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import messages, threads


@dataclass(frozen=True)
class Change:
    """A message that was finished or removed, or a thread that was deleted."""

    seq: int
    thread_id: str
    message_id: str | None
    kind: str


class MirrorOutbox:
    """The `mirror_outbox` table, read by whoever delivers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def changes(self, target: str, limit: int) -> list[Change]:
        """Return the oldest changes that a target has not got."""
        mine = select(mirror_outbox).where(mirror_outbox.c.target == target)
        async with self._database.read() as connection:
            found = await connection.execute(mine.order_by(mirror_outbox.c.seq).limit(limit))
            return [to_record(Change, row) for row in found.mappings()]

    async def messages(self, ids: Collection[str]) -> Mapping[str, Message]:
        """Return those of these messages that still exist."""
        async with self._database.read() as connection:
            found = await connection.execute(select(messages).where(messages.c.id.in_(ids)))
            return {row["id"]: to_record(Message, row) for row in found.mappings()}

    async def threads_from_before(self, mirror: Mirror, limit: int) -> list[tuple[int, str]]:
        """Return the next threads to be copied as they are: number and id."""
        query = select(threads.c.seq, threads.c.id).where(
            threads.c.seq > mirror.copied_until,
            threads.c.seq <= mirror.threads_until,
            threads.c.last_message_seq > 0,
            threads.c.temporary == false(),
        )
        async with self._database.read() as connection:
            found = await connection.execute(query.order_by(threads.c.seq).limit(limit))
            return [(row.seq, row.id) for row in found]

    async def finished_of(
        self, thread_id: str, after: int, limit: int
    ) -> list[tuple[int, Message]]:
        """Return finished messages of a thread behind the one of this number, with theirs."""
        query = select(messages).where(
            messages.c.thread_id == thread_id,
            messages.c.seq > after,
            messages.c.status != MessageStatus.IN_PROGRESS,
        )
        async with self._database.read() as connection:
            found = await connection.execute(query.order_by(messages.c.seq).limit(limit))
            return [(row["seq"], to_record(Message, row)) for row in found.mappings()]

    async def delivered(
        self, target: str, changes: Sequence[int], copied: Sequence[Message], refused: int
    ) -> None:
        """Take changes for delivered, with the messages that were copied for them.

        Others that have taken this process for dead may have done so before. What was deleted since
        they did has come too late, and is to be removed once more.
        """

        async def note(connection: AsyncConnection) -> None:
            gone = delete(mirror_outbox).where(mirror_outbox.c.seq.in_(changes))
            deleted = (await connection.execute(gone)).rowcount
            await connection.execute(_counted(target, len(copied), refused))
            if deleted < len(changes):
                await self._undo(connection, target, copied)

        await self._database.transact(note)

    async def copied(
        self, target: str, copied_until: int, copied: Sequence[Message], refused: int
    ) -> None:
        """Take threads from before the mirror's time for copied up to this one."""
        ahead = mirrors.c.copied_until < copied_until

        async def note(connection: AsyncConnection) -> None:
            counted = _counted(target, len(copied), refused)
            moved = counted.where(ahead).values(copied_until=copied_until)
            if not (await connection.execute(moved)).rowcount:
                await connection.execute(counted)  # amid a long thread, or somebody else is ahead
                await self._undo(connection, target, copied)

        await self._database.transact(note)

    async def _undo(
        self, connection: AsyncConnection, target: str, copied: Sequence[Message]
    ) -> None:
        there = select(messages.c.id).where(messages.c.id.in_([m.id for m in copied]))
        kept = set((await connection.execute(there)).scalars())
        gone = [message for message in copied if message.id not in kept]
        if not gone:
            return
        open_threads = select(threads.c.id).where(threads.c.id.in_({m.thread_id for m in gone}))
        known = set((await connection.execute(open_threads)).scalars())
        now = int(self._clock())
        rows = [
            {
                "target": target,
                "thread_id": message.thread_id,
                "message_id": message.id if message.thread_id in known else None,
                "kind": REMOVED if message.thread_id in known else CLEARED,
                "written_at": now,
            }
            for message in gone
        ]
        await connection.execute(insert(mirror_outbox), rows)


def _counted(target: str, delivered: int, refused: int) -> Update:
    return (
        update(mirrors)
        .where(mirrors.c.target == target)
        .values(
            delivered=mirrors.c.delivered + delivered,
            refused=mirrors.c.refused + refused,
            away_since=None,
            last_error=None,
        )
    )
