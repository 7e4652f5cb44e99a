"""Signals on SQLite: the file itself says that another process has written to it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from streamlit_assistant.store.signals import EVERYTHING, Signals
from streamlit_assistant.store.sqlite_database import SqliteDatabase

LOOK_SECONDS = 0.025  # while there are other processes
IDLE_LOOK_SECONDS = 1.0  # for the first of them


class SqliteSignals(Signals):
    """Hears `*` whenever another process has changed the database, and sends nothing."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__()
        self._database = database

    def send(self, *topics: str) -> None:
        """Do nothing: what has been written speaks for itself."""

    async def told(self, seconds: float) -> None:
        """Do nothing: there is nothing to be sent."""

    def loops(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Return the loop that looks at the file."""
        return [self._look]

    async def _look(self) -> None:
        seen = await self._database.changes_by_others()
        while True:
            await asyncio.sleep(LOOK_SECONDS if self.neighbours else IDLE_LOOK_SECONDS)
            changes = await self._database.changes_by_others()
            if changes != seen:
                seen = changes
                self._tell(EVERYTHING)
