"""Removes chunks piece by piece: the full-text index makes each slow, and others want to write."""

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import chunks

PIECE = 200  # chunks, about 60 ms


async def remove_piece(connection: AsyncConnection, of_files: Select[tuple[int]]) -> bool:
    """Remove some chunks of the files whose `seq` the query finds; say whether all are gone."""
    some = select(chunks.c.seq).where(chunks.c.file_seq.in_(of_files)).limit(PIECE)
    # Locked before they are counted: what somebody else is removing at this moment is not enough.
    found = some.with_for_update().cte("some_chunks")
    query = delete(chunks).where(chunks.c.seq.in_(select(found.c.seq))).returning(chunks.c.seq)
    return len((await connection.execute(query)).all()) < PIECE


async def remove_all(database: Database, of_files: Select[tuple[int]]) -> None:
    """Remove every chunk of the files, with room for other writers in between."""
    gone = False
    while not gone:
        gone = await database.transact(lambda connection: remove_piece(connection, of_files))
