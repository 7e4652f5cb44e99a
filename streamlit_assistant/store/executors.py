"""The processes at work on this database, each with a lease that it renews while it lives.

A row is a living process. Who lets its lease run out is buried by another: the row goes, and what
it was working on is somebody else's from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.process_identity import ProcessIdentity
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.process_tables import executors


@dataclass(frozen=True)
class Executor:
    """A process as the others know it."""

    name: str
    role: str
    identity: ProcessIdentity
    is_late: bool  # its lease is over, and nobody has buried it yet
    lease_until: float  # by the clock that all processes agree on


class Executors:
    """The `executors` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(
        self, name: str, role: str, identity: ProcessIdentity, lease_seconds: float
    ) -> None:
        """Add this process; its lease begins now."""
        row = {
            "name": name,
            "role": role,
            "host": identity.host,
            "pid": identity.pid,
            "pid_started": identity.started,
            "lease_until": self._database.now() + lease_seconds,
        }

        async def register(connection: AsyncConnection) -> None:
            await connection.execute(insert(executors).values(row))

        await self._database.transact(register)

    async def renew(self, name: str, lease_seconds: float) -> bool:
        """Prolong the lease of a process; return False if it has been buried."""
        query = update(executors).where(executors.c.name == name)
        until = self._database.now() + lease_seconds
        # Who waits for somebody's lock with every connection must not be taken for dead.
        return await self._database.change(query.values(lease_until=until)) > 0

    async def all(self) -> list[Executor]:
        """Return every process that is not buried."""
        late = (executors.c.lease_until <= self._database.now()).label("is_late")
        async with self._database.read() as connection:
            rows = (await connection.execute(select(executors, late))).mappings().all()
        return [
            Executor(
                row["name"],
                row["role"],
                ProcessIdentity(row["host"], row["pid"], row["pid_started"]),
                bool(row["is_late"]),
                row["lease_until"],
            )
            for row in rows
        ]

    async def bury(self, gone: Sequence[str], late: Sequence[str] = ()) -> None:
        """Remove processes: those `gone` for certain, those `late` if they still are."""
        is_late = executors.c.name.in_(late) & (executors.c.lease_until <= self._database.now())

        async def bury(connection: AsyncConnection) -> None:
            which = or_(executors.c.name.in_(gone), is_late)
            await connection.execute(delete(executors).where(which))

        await self._database.transact(bury)
