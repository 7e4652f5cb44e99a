"""Keys of other programs, stored only as hashes."""

from sqlalchemy import insert, select

from streamlit_assistant.records import Clock
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.tables import api_keys


class ApiKeys:
    """The `api_keys` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, owner: str, label: str, sha256: str) -> None:
        """Store the SHA-256 hex digest of a new key."""
        row = {"owner": owner, "label": label, "sha256": sha256, "created_at": int(self._clock())}
        async with self._database.write() as connection:
            await connection.execute(insert(api_keys).values(row))

    async def owners(self) -> dict[str, str]:
        """Return the owner of each key, by SHA-256 hex digest."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(api_keys.c.sha256, api_keys.c.owner))
            return {sha256: owner for sha256, owner in rows}
