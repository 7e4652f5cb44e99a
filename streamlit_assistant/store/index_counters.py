"""The counters of a vector store, moved in the transaction that changes its files."""

from collections import Counter

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import IndexStatus
from streamlit_assistant.store.file_tables import vector_stores


class CounterChange:
    """By how much the counters of one vector store move."""

    def __init__(self) -> None:
        self._files: Counter[IndexStatus] = Counter()
        self._bytes = 0

    def leave(self, status: IndexStatus, usage_bytes: int = 0) -> "CounterChange":
        """Note that a file is no longer in `status`, nor its text counted."""
        self._files[status] -= 1
        self._bytes -= usage_bytes
        return self

    def enter(self, status: IndexStatus, usage_bytes: int = 0) -> "CounterChange":
        """Note that a file is now in `status`, and that its text has so many bytes."""
        self._files[status] += 1
        self._bytes += usage_bytes
        return self

    async def apply(self, connection: AsyncConnection, vector_store_id: str) -> None:
        """Move the counters, in the caller's transaction."""
        moved = {
            status.value: vector_stores.c[status.value] + by
            for status, by in self._files.items()
            if by
        }
        if self._bytes:
            moved["usage_bytes"] = vector_stores.c.usage_bytes + self._bytes
        if moved:
            mine = vector_stores.c.id == vector_store_id
            await connection.execute(update(vector_stores).where(mine).values(moved))
