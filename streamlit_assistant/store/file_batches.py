"""Batches of files that were put into a vector store together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import FileBatch, IndexStatus, VectorStoreFile
from streamlit_assistant.records import Clock, Page, PageQuery
from streamlit_assistant.store.attached_files import attach_files
from streamlit_assistant.store.chunk_removal import remove_all
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import (
    file_batch_members,
    file_batches,
    vector_store_files,
)
from streamlit_assistant.store.index_counters import CounterChange
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.vector_store_rows import lock_vector_store


class FileBatches:
    """The `file_batches` table and which files belong to each."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self, owner: str, batch: FileBatch, files: Sequence[VectorStoreFile]
    ) -> FileBatch:
        """Put files into a vector store of the owner, as one batch."""

        async def add(connection: AsyncConnection) -> FileBatch:
            seqs = await attach_files(connection, owner, files, int(self._clock()))
            await connection.execute(
                insert(file_batches).values(
                    id=batch.id,
                    vector_store_id=batch.vector_store_id,
                    created_at=batch.created_at,
                    is_cancelled=False,
                )
            )
            members = [{"batch_id": batch.id, "file_seq": seq} for seq in seqs]
            await connection.execute(insert(file_batch_members), members)
            return await _find(connection, batch.vector_store_id, batch.id)

        return await self._database.transact(add)

    async def get(self, vector_store_id: str, batch_id: str) -> FileBatch:
        """Return one batch of a vector store, or raise `NotFound`."""
        async with self._database.read() as connection:
            return await _find(connection, vector_store_id, batch_id)

    async def cancel(self, vector_store_id: str, batch_id: str) -> FileBatch:
        """Leave what is not yet indexed of it unindexed; a batch that is done stays as it is.

        What another batch wants too, one that was not cancelled, is indexed all the same.
        """

        async def cancel(connection: AsyncConnection) -> FileBatch:
            await lock_vector_store(connection, vector_store_id)
            batch = await _find(connection, vector_store_id, batch_id)
            if not batch.in_progress:
                return batch
            await _cancel_waiting(connection, batch)
            mine = file_batches.c.id == batch_id
            await connection.execute(update(file_batches).where(mine).values(is_cancelled=True))
            return await _find(connection, vector_store_id, batch_id)

        cancelled = await self._database.transact(cancel)
        # A file that was to be indexed anew still has the chunks of before.
        leftovers = _members(batch_id, vector_store_files.c.status == IndexStatus.CANCELLED)
        await remove_all(self._database, leftovers)
        return cancelled

    async def page_files(
        self, batch: FileBatch, query: PageQuery, status: IndexStatus | None = None
    ) -> Page[VectorStoreFile]:
        """Return a page of the batch's files, of one status if asked."""
        async with self._database.read() as connection:
            return await read_page(
                connection,
                vector_store_files,
                VectorStoreFile,
                query,
                vector_store_files.c.vector_store_id == batch.vector_store_id,
                vector_store_files.c.seq.in_(_members(batch.id)),
                *([vector_store_files.c.status == status] if status else []),
                noun="vector store file",
            )


async def _cancel_waiting(connection: AsyncConnection, batch: FileBatch) -> None:
    waiting = _members(
        batch.id,
        vector_store_files.c.status == IndexStatus.IN_PROGRESS,
        ~_is_wanted_beside(batch.id),
    )
    stopped = await connection.execute(
        update(vector_store_files)
        .where(vector_store_files.c.seq.in_(waiting))
        .values(status=IndexStatus.CANCELLED)
    )
    change = CounterChange()
    for _ in range(stopped.rowcount):
        change.leave(IndexStatus.IN_PROGRESS).enter(IndexStatus.CANCELLED)
    await change.apply(connection, batch.vector_store_id)


def _members(batch_id: str, *where: Any) -> Select[tuple[int]]:
    joined = file_batch_members.join(
        vector_store_files, file_batch_members.c.file_seq == vector_store_files.c.seq
    )
    return (
        select(file_batch_members.c.file_seq)
        .select_from(joined)
        .where(file_batch_members.c.batch_id == batch_id, *where)
    )


def _is_wanted_beside(batch_id: str) -> ColumnElement[bool]:
    member = file_batch_members.alias()
    query = select(member.c.file_seq).join(file_batches, member.c.batch_id == file_batches.c.id)
    return query.where(
        member.c.file_seq == vector_store_files.c.seq,
        file_batches.c.id != batch_id,
        file_batches.c.is_cancelled.is_(False),
    ).exists()


async def _find(connection: AsyncConnection, vector_store_id: str, batch_id: str) -> FileBatch:
    query = select(file_batches).where(
        file_batches.c.vector_store_id == vector_store_id, file_batches.c.id == batch_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise NotFound(f"No vector store file batch found with id '{batch_id}'.")
    batch = FileBatch(
        row["id"], row["vector_store_id"], row["created_at"], is_cancelled=row["is_cancelled"]
    )
    counted = await connection.execute(
        select(vector_store_files.c.status, func.count())
        .where(vector_store_files.c.seq.in_(_members(batch_id)))
        .group_by(vector_store_files.c.status)
    )
    return replace(batch, **{status: count for status, count in counted})
