"""The queue of runs: the rows that nobody works on. Who may begin, who waits, whose turn it is.

Fair by person: the next run is that of whoever has the fewest at work, and among equals the oldest.
So a person with a thousand runs waiting keeps nobody else waiting.
"""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Select, Subquery, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import TooManyRuns
from streamlit_assistant.records import Clock, Run, RunStatus
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.process_tables import executors
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import IS_ACTIVE, runs

RETRY_AFTER = 5  # seconds
# More events than a process shows between two flushes: followers may have seen what was not stored,
# and their numbers must not come again.
NUMBERS_SKIPPED = 100_000
CLAIMS = 0x5A11  # the lock of whoever decides that a run may begin

_FREE = (
    IS_ACTIVE,
    runs.c.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)),
    runs.c.lease_owner.is_(None),
)
_ANY_FREE = select(runs.c.seq).where(*_FREE).limit(1)
_IDLE = (
    IS_ACTIVE,
    runs.c.status != RunStatus.CANCELLING,
    runs.c.lease_owner.is_(None),
)
_AT_WORK = (IS_ACTIVE, runs.c.lease_owner.is_not(None))
# Its owner is no more. A run that nobody has taken has none to lose.
_IS_OWNERLESS = runs.c.lease_owner.not_in(select(executors.c.name))
# What a process that is gone was executing, or had promised to end.
_ORPHANED = (
    IS_ACTIVE,
    or_(
        and_(runs.c.status == RunStatus.CANCELLING, runs.c.lease_owner.is_(None)),
        and_(
            _IS_OWNERLESS,
            runs.c.status.in_((RunStatus.IN_PROGRESS, RunStatus.CANCELLING)),
        ),
    ),
)


@dataclass(frozen=True)
class Limits:
    """How many runs may be at work and waiting, at all and of one person, over all processes."""

    at_work: int = 200
    at_work_of_one: int = 50
    waiting: int = 1_000
    waiting_of_one: int = 200
    processes: int = 1  # how many may be storing runs at the same time


@dataclass(frozen=True)
class Load:
    """The runs at work and waiting by person, and since when the oldest of them waits."""

    running_of: Counter[str]
    waiting_of: Counter[str]
    oldest_waiting_at: int | None = None

    @property
    def running(self) -> int:
        """Runs at work, in all processes together."""
        return self.running_of.total()

    @property
    def waiting(self) -> int:
        """Runs that wait to be executed."""
        return self.waiting_of.total()

    @property
    def people(self) -> int:
        """Whose runs these are: how many, not who."""
        return len(self.running_of.keys() | self.waiting_of.keys())


class RunQueue:
    """Hands runs to processes. Every decision is taken in one transaction, one after the other."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, lease_owner: str, limits: Limits) -> Run | None:
        """Take the run whose turn it is; return None if there is none or too many are at work."""
        turns = _turns()
        query = select(turns.c.seq).where(turns.c.turn <= limits.at_work_of_one)
        query = query.order_by(turns.c.turn, turns.c.seq).limit(1)
        started = {
            "lease_owner": lease_owner,
            "attempt": runs.c.attempt + 1,
            "status": RunStatus.IN_PROGRESS,
            "started_at": func.coalesce(runs.c.started_at, int(self._clock())),
        }
        at_work = select(func.count()).select_from(runs).where(*_AT_WORK)
        # Asked first without a lock: most of the time nobody waits.
        async with self._database.read() as connection:
            if (await connection.execute(_ANY_FREE)).first() is None:
                return None

        async def claim(connection: AsyncConnection) -> Run | None:
            await self._database.lock(connection, CLAIMS)
            if ((await connection.execute(at_work)).scalar() or 0) >= limits.at_work:
                return None
            next_one = runs.c.seq == query.scalar_subquery()
            return await _taken(connection, next_one, *_FREE, **started)

        return await self._database.transact(claim)

    async def claim_idle(self, lease_owner: str, run_id: str) -> Run | None:
        """Take a run that nobody works on, to end it; its status stays until then."""
        taken = {"lease_owner": lease_owner, "attempt": runs.c.attempt + 1}

        async def claim(connection: AsyncConnection) -> Run | None:
            return await _taken(connection, runs.c.id == run_id, *_IDLE, **taken)

        return await self._database.transact(claim)

    async def adopt_orphans(self, lease_owner: str) -> list[Run]:
        """Take over the runs that processes were executing which are buried."""
        adopted = update(runs).where(*_ORPHANED)
        adopted = adopted.values(
            lease_owner=lease_owner,
            attempt=runs.c.attempt + 1,
            takeovers=runs.c.takeovers + 1,
            last_event=runs.c.last_event + NUMBERS_SKIPPED,
        )
        # What they had taken only to end it: that waits on.
        untouched = runs.c.status.in_((RunStatus.QUEUED, RunStatus.REQUIRES_ACTION))
        untaken = update(runs).where(IS_ACTIVE, _IS_OWNERLESS, untouched).values(lease_owner=None)

        async def adopt(connection: AsyncConnection) -> list[Run]:
            rows = (await connection.execute(adopted.returning(runs))).mappings().all()
            await connection.execute(untaken)
            return [to_record(Run, row) for row in rows]

        orphans = select(runs.c.seq).where(IS_ACTIVE, or_(*_ORPHANED[1:], _IS_OWNERLESS)).limit(1)
        async with self._database.read() as connection:
            if (await connection.execute(orphans)).first() is None:
                return []
        return await self._database.transact(adopt)

    async def overdue(self, now: int) -> list[str]:
        """Return the runs that nobody works on and that should have ended by now."""
        query = select(runs.c.id).where(*_IDLE, runs.c.expires_at <= now)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def owned_by(self, lease_owner: str) -> list[Run]:
        """Return the runs that a process is working on."""
        query = select(runs).where(*_AT_WORK, runs.c.lease_owner == lease_owner)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [to_record(Run, row) for row in rows]

    async def position(self, run_id: str) -> int | None:
        """Return how many runs have their turn before this one and itself; None if none waits."""
        turns = _turns()
        mine = select(turns.c.turn, turns.c.seq).where(turns.c.id == run_id).subquery()
        earlier = or_(
            turns.c.turn < mine.c.turn, and_(turns.c.turn == mine.c.turn, turns.c.seq <= mine.c.seq)
        )
        query = select(func.count()).select_from(turns.join(mine, earlier))
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar() or None

    async def load(self) -> Load:
        """Return how busy the site is."""
        async with self._database.read() as connection:
            return await read_load(connection)


async def make_room(
    database: Database, connection: AsyncConnection, owner: str, limits: Limits
) -> bool:
    """Return whether a new run may begin at once; raise `TooManyRuns` if it may not even wait."""
    load = await _load(database, connection, owner, limits)
    if _has_room(load, owner, limits):
        return True
    own = load.waiting_of[owner]
    if load.waiting >= limits.waiting:
        raise TooManyRuns(
            f"{load.waiting} runs are waiting on this server, which is as many as may; "
            "try again in a moment.",
            RETRY_AFTER,
        )
    if own >= limits.waiting_of_one:
        raise TooManyRuns(
            f"{own} runs of yours are waiting, which is as many as may; "
            "try again once some of them have ended.",
            RETRY_AFTER,
        )
    return False


async def may_begin(
    database: Database, connection: AsyncConnection, owner: str, limits: Limits
) -> bool:
    """Return whether a run that goes on may begin at once; if not, it waits, however many do."""
    return _has_room(await _load(database, connection, owner, limits), owner, limits)


async def _load(
    database: Database, connection: AsyncConnection, owner: str, limits: Limits
) -> Load:
    """Return how busy the site is, as it stays until this transaction ends if that matters."""
    load = await read_load(connection)
    # Others may be storing runs this instant, though no more than there are connections.
    if not _has_room(load, owner, limits, database.writers * limits.processes):
        await database.lock(connection, CLAIMS)
        load = await read_load(connection)
    return load


def _has_room(load: Load, owner: str, limits: Limits, more: int = 0) -> bool:
    # Whoever waits comes first, unless it is others whose own share is used up.
    at_all = load.running + load.waiting + more
    of_one = load.running_of[owner] + load.waiting_of[owner] + more
    return at_all < limits.at_work and of_one < limits.at_work_of_one


async def read_load(connection: AsyncConnection) -> Load:
    """Return how busy the site is, in the caller's transaction."""
    at_work = runs.c.lease_owner.is_not(None)
    count, since = func.count(), func.min(runs.c.created_at)
    query = select(runs.c.owner, at_work.label("at_work"), count, since)
    query = query.where(IS_ACTIVE, or_(at_work, *_FREE[1:2])).group_by(runs.c.owner, at_work)
    load = Load(Counter(), Counter())
    since_when = []
    for owner, is_at_work, number, oldest in await connection.execute(query):
        (load.running_of if is_at_work else load.waiting_of)[owner] += number
        if not is_at_work:
            since_when.append(oldest)
    return Load(load.running_of, load.waiting_of, min(since_when, default=None))


def _turns() -> Subquery:
    """Return the waiting runs, each with its turn: 1 for the first run of a person with none."""
    at_work: Select[tuple[str, int]] = (
        select(runs.c.owner, func.count().label("number")).where(*_AT_WORK).group_by(runs.c.owner)
    )
    busy = at_work.subquery("busy")
    among_own = func.row_number().over(partition_by=runs.c.owner, order_by=runs.c.seq)
    turn = (among_own + func.coalesce(busy.c.number, 0)).label("turn")
    waiting = select(runs.c.seq, runs.c.id, turn)
    waiting = waiting.select_from(runs.outerjoin(busy, busy.c.owner == runs.c.owner))
    return waiting.where(*_FREE).subquery("turns")


async def _taken(connection: AsyncConnection, *where: object, **changes: object) -> Run | None:
    query = update(runs).where(*where).values(changes).returning(runs)  # type: ignore[arg-type]
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else to_record(Run, row)
