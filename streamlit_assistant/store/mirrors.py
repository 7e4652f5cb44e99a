"""The mirrors: the stores that get a copy of every message, who delivers, and how far they are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, false, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import Clock
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.mirror_tables import mirror_outbox, mirrors
from streamlit_assistant.store.process_tables import executors
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import messages, threads

LONGEST_ERROR = 500  # characters that are kept of one
PIECE = 5_000  # changes removed at a time: nobody shall wait for more
# Who has changed messages is waited for, who wants to has to wait; backups go on. Not for long: the
# lock is asked for again if somebody else's work on the table takes its time.
_PATIENCE = text("SET LOCAL lock_timeout = '3s'")
_LOCK = text(f"LOCK TABLE {messages.name} IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True)
class Mirror:
    """One store, by a name that says nothing of where it is."""

    seq: int
    target: str
    kind: str
    registered_at: int
    threads_until: int
    copied_until: int
    delivered: int
    refused: int
    away_since: int | None
    lease_owner: str | None

    @property
    def is_copying(self) -> bool:
        """Whether threads from before its time are still to be copied."""
        return self.copied_until < self.threads_until


@dataclass(frozen=True)
class Backlog:
    """What a mirror still lacks: how many changes, and since when the oldest of them waits."""

    mirror: Mirror
    pending: int
    oldest_at: int | None


class Mirrors:
    """The `mirrors` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # Whether anybody is to be told of changes; they are noted in any case.
        self.are_expected = False

    async def register(self, kinds: Mapping[str, str]) -> None:
        """Have changes noted for these targets from now on, and what there is copied."""
        known = select(mirrors.c.target).where(mirrors.c.target.in_(kinds))
        async with self._database.read() as connection:
            if len((await connection.execute(known)).all()) == len(kinds):
                return

        async def register(connection: AsyncConnection) -> None:
            if self._database.is_shared:
                await connection.execute(_PATIENCE)
                await connection.execute(_LOCK)
            there = set((await connection.execute(known)).scalars())
            until = (await connection.execute(select(func.max(threads.c.seq)))).scalar() or 0
            for target, kind in kinds.items():
                if target not in there:
                    row = {"target": target, "kind": kind, "threads_until": until}
                    row["registered_at"] = int(self._clock())
                    await connection.execute(insert(mirrors).values(row))

        await self._database.transact(register)

    async def drop(self, but: Collection[str], lease_owner: str) -> None:
        """Forget all other targets, unless another living process delivers to them."""
        living = select(executors.c.name).where(executors.c.name != lease_owner)
        unwanted = mirrors.c.target.not_in(but) & or_(
            mirrors.c.lease_owner.is_(None), mirrors.c.lease_owner.not_in(living)
        )
        orphaned = mirror_outbox.c.target.not_in(select(mirrors.c.target))
        async with self._database.read() as connection:
            found = (await connection.execute(select(mirrors.c.seq).where(unwanted))).first()
            left = (await connection.execute(select(mirror_outbox.c.seq).where(orphaned))).first()
        if found is not None:
            await self._database.change(delete(mirrors).where(unwanted))
        some = select(mirror_outbox.c.seq).where(orphaned).limit(PIECE)
        while found is not None or left is not None:
            query = delete(mirror_outbox).where(mirror_outbox.c.seq.in_(some))
            if await self._database.change(query) < PIECE:
                return

    async def hold(self, target: str, lease_owner: str) -> Mirror | None:
        """Return the mirror if this process is, or becomes, the one that delivers to it.

        While a store is away everybody may try: perhaps another process reaches it.
        """
        mine = mirrors.c.target == target
        free = or_(
            mirrors.c.lease_owner.is_(None),
            mirrors.c.lease_owner.not_in(select(executors.c.name)),
            mirrors.c.away_since.is_not(None),
        )
        query = select(mirrors, free.label("is_free")).where(mine)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None or (row["lease_owner"] != lease_owner and not row["is_free"]):
            return None
        if row["lease_owner"] != lease_owner:
            taken = update(mirrors).where(mine, free).values(lease_owner=lease_owner)
            if not await self._database.change(taken):
                return None
        return to_record(Mirror, row)

    async def note_away(self, target: str, lease_owner: str, error: str) -> None:
        """Note that a store does not answer."""
        query = update(mirrors).where(
            mirrors.c.target == target, mirrors.c.lease_owner == lease_owner
        )
        since = func.coalesce(mirrors.c.away_since, int(self._clock()))
        away = query.values(away_since=since, last_error=error[:LONGEST_ERROR])
        await self._database.change(away)

    async def backlogs(self) -> list[Backlog]:
        """Return what every mirror lacks, in the order in which they were registered."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(mirrors).order_by(mirrors.c.seq))).mappings()
            return [await _backlog(connection, to_record(Mirror, row)) for row in rows.all()]


async def _backlog(connection: AsyncConnection, mirror: Mirror) -> Backlog:
    mine = mirror_outbox.c.target == mirror.target
    waiting = select(func.count()).select_from(mirror_outbox).where(mine)
    pending = (await connection.execute(waiting)).scalar() or 0
    oldest = select(mirror_outbox.c.written_at).where(mine).order_by(mirror_outbox.c.seq).limit(1)
    oldest_at = (await connection.execute(oldest)).scalar()
    if mirror.is_copying:
        old = select(func.sum(threads.c.message_count)).where(
            threads.c.seq > mirror.copied_until,
            threads.c.seq <= mirror.threads_until,
            threads.c.temporary == false(),
        )
        pending += int((await connection.execute(old)).scalar() or 0)
        oldest_at = mirror.registered_at
    return Backlog(mirror, pending, oldest_at)
