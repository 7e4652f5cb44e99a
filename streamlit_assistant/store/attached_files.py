"""Files put into a vector store, in the caller's transaction: new ones, and those it has already.

A file that is there as wanted stays as it is. One whose attributes differ gets the new ones; one
that is to be cut otherwise, or that was not indexed, is indexed again.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import FilledVectorStore, IndexStatus, VectorStoreFile
from streamlit_assistant.records import JSON
from streamlit_assistant.store.file_tables import vector_store_files
from streamlit_assistant.store.index_counters import CounterChange
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.searchable_files import check_searchable
from streamlit_assistant.store.vector_store_rows import (
    find_vector_store,
    insert_row,
    refuse_expired,
    touch,
)

_OF_USE = (IndexStatus.IN_PROGRESS, IndexStatus.COMPLETED)


async def insert_vector_store(connection: AsyncConnection, new: FilledVectorStore) -> None:
    """Store a new vector store and put its files into it."""
    await insert_row(connection, new.store)
    await attach_files(connection, new.store.owner, new.files, new.store.created_at)


async def attach_files(
    connection: AsyncConnection,
    owner: str,
    wanted: Sequence[VectorStoreFile],
    now: int,
    *,
    keeps_present: bool = False,
) -> list[int]:
    """Put files into one vector store of the owner and return their `seq`, each once.

    `keeps_present`: a file that is there already stays as it is, whatever is wanted now.
    """
    files = {file.id: file for file in wanted}
    if not files:
        return []
    vector_store_id = wanted[0].vector_store_id
    store = await find_vector_store(connection, owner, vector_store_id, lock=True)
    refuse_expired(store, now)
    await check_searchable(connection, owner, list(files), now)
    present = await _present(connection, vector_store_id, list(files))
    change = CounterChange()
    for file_id, file in files.items():
        if file_id in present and not (keeps_present and present[file_id].status in _OF_USE):
            await _renew(connection, present[file_id], file, change)
    new = [file for file_id, file in files.items() if file_id not in present]
    if new:
        await connection.execute(insert(vector_store_files), [_row(file) for file in new])
    for file in new:
        change.enter(file.status, file.usage_bytes)
    await change.apply(connection, vector_store_id)
    await touch(connection, store, now)
    stored = await _present(connection, vector_store_id, list(files)) if new else present
    return [stored[file_id].seq for file_id in files]


async def _renew(
    connection: AsyncConnection, old: VectorStoreFile, new: VectorStoreFile, change: CounterChange
) -> None:
    values: JSON = {}
    if old.attributes != new.attributes:
        values["attributes"] = new.attributes
    if old.status not in _OF_USE or old.chunking_strategy != new.chunking_strategy:
        # Its chunks stay until the indexer replaces them; nobody finds them meanwhile.
        values["chunking_strategy"] = new.chunking_strategy
        values |= {"status": IndexStatus.IN_PROGRESS, "usage_bytes": 0, "last_error": None}
        values["lease_owner"] = None  # whoever is at it is to stop
        change.leave(old.status, old.usage_bytes).enter(IndexStatus.IN_PROGRESS)
    if values:
        mine = vector_store_files.c.seq == old.seq
        await connection.execute(update(vector_store_files).where(mine).values(values))


async def _present(
    connection: AsyncConnection, vector_store_id: str, file_ids: Sequence[str]
) -> Mapping[str, VectorStoreFile]:
    query = select(vector_store_files).where(
        vector_store_files.c.vector_store_id == vector_store_id,
        vector_store_files.c.id.in_(file_ids),
    )
    rows = (await connection.execute(query)).mappings()
    return {row["id"]: to_record(VectorStoreFile, row) for row in rows}


def _row(file: VectorStoreFile) -> JSON:
    row = to_row(vector_store_files, file)
    del row["seq"]  # the database's to choose
    return row
