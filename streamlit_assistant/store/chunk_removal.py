"""Removes chunks piece by piece: the full-text index makes each slow, and others want to write."""

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.file_tables import chunks

PIECE = 200  # chunks, about 60 ms


async def remove_piece(connection: AsyncConnection, of_files: Select[tuple[int]]) -> bool:
    """Remove some chunks of the files whose `seq` the query finds; say whether all are gone."""
    some = select(chunks.c.seq).where(chunks.c.file_seq.in_(of_files)).limit(PIECE)
    removed = await connection.execute(delete(chunks).where(chunks.c.seq.in_(some)))
    return removed.rowcount < PIECE


async def remove_all(database: Database, of_files: Select[tuple[int]]) -> None:
    """Remove every chunk of the files, with room for other writers in between."""
    gone = False
    while not gone:
        async with database.write() as connection:
            gone = await remove_piece(connection, of_files)
