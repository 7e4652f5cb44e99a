"""Vector stores in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import FilledVectorStore, IndexStatus, VectorStore
from streamlit_assistant.records import Clock, Page, PageQuery
from streamlit_assistant.store.attached_files import insert_vector_store
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import vector_store_files, vector_stores
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.vector_store_rows import (
    NOBODY,
    activity,
    find_vector_store,
    has_expired,
    refuse_expired,
    touch,
)

TOUCHED_EVERY = 60  # seconds: stores expire after days, so not every search has to be noted


class VectorStores:
    """The `vector_stores` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, new: FilledVectorStore) -> VectorStore:
        """Store a new vector store, and put its files into it to be indexed."""

        async def add(connection: AsyncConnection) -> VectorStore:
            await insert_vector_store(connection, new)
            return await find_vector_store(connection, new.store.owner, new.store.id)

        return await self._database.transact(add)

    async def get(self, owner: str, vector_store_id: str) -> VectorStore:
        """Return the owner's vector store, or raise `NotFound`."""
        async with self._database.read() as connection:
            return await find_vector_store(connection, owner, vector_store_id)

    async def usable(self, owner: str, vector_store_id: str) -> VectorStore:
        """Return the owner's vector store; one that has expired is refused."""
        found = await self.get(owner, vector_store_id)
        refuse_expired(found, self._clock())
        return found

    async def check(self, owner: str, vector_store_ids: Sequence[str]) -> None:
        """Raise `NotFound` for the first that the owner lacks."""
        async with self._database.read() as connection:
            for vector_store_id in vector_store_ids:
                await find_vector_store(connection, owner, vector_store_id)

    async def page(self, owner: str, query: PageQuery) -> Page[VectorStore]:
        """Return a page of the owner's vector stores."""
        async with self._database.read() as connection:
            return await read_page(
                connection,
                vector_stores,
                VectorStore,
                query,
                vector_stores.c.owner == owner,
                noun="vector store",
            )

    async def modify(
        self, owner: str, vector_store_id: str, changes: Mapping[str, Any]
    ) -> VectorStore:
        """Change the named fields and return the whole; expiry counts anew from now."""
        now = int(self._clock())

        async def modify(connection: AsyncConnection) -> VectorStore:
            found = await find_vector_store(connection, owner, vector_store_id, lock=True)
            values = dict(changes)
            if "expires_after" in values:
                refuse_expired(found, now)
                values |= activity(values["expires_after"], now)
            if values:
                mine = vector_stores.c.seq == found.seq
                await connection.execute(update(vector_stores).where(mine).values(values))
            return await find_vector_store(connection, owner, vector_store_id)

        return await self._database.transact(modify)

    async def delete(self, owner: str, vector_store_id: str) -> None:
        """Take it from its owner; its rows and chunks are removed later, piece by piece."""

        async def remove(connection: AsyncConnection) -> None:
            found = await find_vector_store(connection, owner, vector_store_id, lock=True)
            mine = vector_stores.c.seq == found.seq
            ended = vector_stores.c.cancelled + vector_stores.c.in_progress
            await connection.execute(
                update(vector_stores)
                .where(mine)
                .values(owner=NOBODY, in_progress=0, cancelled=ended)
            )
            # Nothing of it is indexed any more, nor is what is being indexed now kept.
            await connection.execute(
                update(vector_store_files)
                .where(
                    vector_store_files.c.vector_store_id == found.id,
                    vector_store_files.c.status == IndexStatus.IN_PROGRESS,
                )
                .values(status=IndexStatus.CANCELLED)
            )

        await self._database.transact(remove)

    async def touch(self, vector_store_ids: Sequence[str]) -> None:
        """Note that they are in use, which puts off their expiry; the expired stay so."""
        now = int(self._clock())
        stale = vector_stores.c.last_active_at <= now - TOUCHED_EVERY
        query = select(vector_stores).where(vector_stores.c.id.in_(vector_store_ids), stale)
        query = query.order_by(vector_stores.c.seq)  # two who touch several do not cross
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        found = [to_record(VectorStore, row) for row in rows]

        async def touch_all(connection: AsyncConnection) -> None:
            for store in found:
                await touch(connection, store, now)

        if found:
            await self._database.transact(touch_all)

    async def expired(self, vector_store_ids: Sequence[str]) -> list[str]:
        """Return which of them have expired."""
        query = select(vector_stores.c.id).where(
            vector_stores.c.id.in_(vector_store_ids), has_expired(self._clock())
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def being_indexed(self, vector_store_ids: Sequence[str]) -> bool:
        """Whether any file in them still waits for the indexer."""
        query = select(vector_stores.c.id).where(
            vector_stores.c.id.in_(vector_store_ids), vector_stores.c.in_progress > 0
        )
        async with self._database.read() as connection:
            return (await connection.execute(query.limit(1))).first() is not None
