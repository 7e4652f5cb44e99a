"""Keys of other programs, stored only as hashes."""

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import Clock
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.tables import api_keys

FIRST_KEY = 0x5A01  # the lock of whoever makes it


class ApiKeys:
    """The `api_keys` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, owner: str, label: str, sha256: str) -> None:
        """Store the SHA-256 hex digest of a new key."""
        query = insert(api_keys).values(self._row(owner, label, sha256))
        await self._database.transact(lambda connection: connection.execute(query))

    async def ensure_first(self, owner: str, label: str, sha256: str) -> bool:
        """Store a key if there is none at all; return whether it was stored."""

        async def ensure(connection: AsyncConnection) -> bool:
            await self._database.lock(connection, FIRST_KEY)
            if (await connection.execute(select(api_keys.c.seq).limit(1))).first() is not None:
                return False
            await connection.execute(insert(api_keys).values(self._row(owner, label, sha256)))
            return True

        return await self._database.transact(ensure)

    async def owners(self) -> dict[str, str]:
        """Return the owner of each key, by SHA-256 hex digest."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(api_keys.c.sha256, api_keys.c.owner))
            return {sha256: owner for sha256, owner in rows}

    def _row(self, owner: str, label: str, sha256: str) -> dict[str, str | int]:
        now = int(self._clock())
        return {"owner": owner, "label": label, "sha256": sha256, "created_at": now}
