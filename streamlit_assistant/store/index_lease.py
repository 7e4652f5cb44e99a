"""The lease on a waiting file: who indexes it, and whether what they write is still wanted.

Whoever lost it, because it was taken for dead or the file has changed, writes nothing any more.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.file_records import IndexStatus, VectorStoreFile, WaitingFile
from streamlit_assistant.store.file_tables import vector_store_files
from streamlit_assistant.store.rows import to_record


async def find_wanted(
    connection: AsyncConnection, waiting: WaitingFile, *, lock: bool = False
) -> VectorStoreFile | None:
    """Return the file if it is still to be indexed as it was handed out, by whom it was handed to.

    `lock` it in order to write: then it stays so until the transaction ends.
    """
    query = select(vector_store_files).where(
        vector_store_files.c.seq == waiting.file.seq,
        vector_store_files.c.status == IndexStatus.IN_PROGRESS,
        vector_store_files.c.lease_owner == waiting.lease_owner,
    )
    found = await connection.execute(query.with_for_update() if lock else query)
    row = found.mappings().first()
    if row is None or row["chunking_strategy"] != waiting.file.chunking_strategy:
        return None
    return to_record(VectorStoreFile, row)
