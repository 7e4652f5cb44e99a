"""Reports on models: what the last test of each has shown."""

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.upstream_tables import model_reports

_OF_KEY = model_reports.c.key == bindparam("named")
_FIND = select(model_reports.c.report).where(_OF_KEY)
_ADD = insert(model_reports)
_CHANGE = update(model_reports).where(_OF_KEY)


class ModelReports:
    """The `model_reports` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, key: str) -> JSON | None:
        """Return the report that is kept under a key."""
        async with self._database.read() as connection:
            found: JSON | None = (await connection.execute(_FIND, {"named": key})).scalar()
        return found

    async def put(self, key: str, report: JSON) -> None:
        """Keep a report in place of the one that was kept under the key."""
        values: JSON = {"report": report, "kept_at": int(self._clock())}

        async def put(connection: AsyncConnection) -> None:
            changed = await connection.execute(_CHANGE, {"named": key, **values})
            if changed.rowcount == 0:
                await connection.execute(_ADD, {"key": key, **values})

        while True:
            try:
                return await self._database.transact(put)
            except IntegrityError:
                continue  # another process kept one on the same model this instant
