"""Files in the database; their bytes are elsewhere, under the hash that the rows name."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, Text, cast, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import File
from streamlit_assistant.records import JSON, Page, PageQuery
from streamlit_assistant.store.blob_bytes import keep_bytes
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import files, upload_parts
from streamlit_assistant.store.pages import read_page
from streamlit_assistant.store.rows import to_record, to_row
from streamlit_assistant.store.tables import assistants, threads
from streamlit_assistant.store.vector_store_files import forget_file

MOST_AT_ONCE = 500  # names in one query


class Files:
    """The `files` table. A file whose time is over is unknown, whether or not it was removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: File, blob: int | None = None) -> File:
        """Store a new file, whose bytes must be in their place, or in a draft of the database."""
        await self._database.transact(lambda connection: insert_file(connection, file, blob))
        return file

    async def get(self, owner: str, file_id: str, now: float) -> File:
        """Return the owner's file, or raise `NotFound`."""
        query = select(files).where(*_of(owner, file_id), _lasts(now))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise _unknown(file_id)
        return to_record(File, row)

    async def get_all(self, owner: str, file_ids: Collection[str], now: float) -> list[File]:
        """Return those of the named files that the owner has, in no order."""
        wanted = list(file_ids)
        found: list[File] = []
        async with self._database.read() as connection:
            for start in range(0, len(wanted), MOST_AT_ONCE):
                some = files.c.id.in_(wanted[start : start + MOST_AT_ONCE])
                query = select(files).where(files.c.owner == owner, some, _lasts(now))
                rows = (await connection.execute(query)).mappings()
                found += [to_record(File, row) for row in rows]
        return found

    async def page(
        self, owner: str, query: PageQuery, now: float, purpose: str | None = None
    ) -> Page[File]:
        """Return a page of the owner's files, of one purpose if it is given."""
        where = [files.c.owner == owner, _lasts(now)]
        if purpose is not None:
            where.append(files.c.purpose == purpose)
        async with self._database.read() as connection:
            return await read_page(connection, files, File, query, *where, noun="file")

    async def delete(self, owner: str, file_id: str) -> None:
        """Remove it, from the vector stores and from what code interpreters may read as well."""
        query = select(files.c.seq).where(*_of(owner, file_id)).with_for_update()

        async def remove(connection: AsyncConnection) -> None:
            if (await connection.execute(query)).first() is None:
                raise _unknown(file_id)
            for table in (assistants, threads):
                await _forget_resource(connection, table, owner, file_id)
            await forget_file(connection, file_id)
            await connection.execute(delete(files).where(*_of(owner, file_id)))

        await self._database.transact(remove)

    async def expired(self, now: float) -> list[File]:
        """Return the files whose time is over."""
        query = select(files).where(files.c.expires_at <= now)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return [to_record(File, row) for row in rows]

    async def unused(self, hashes: Collection[str]) -> list[str]:
        """Return those of the hashes that no file and no part of an upload refers to."""
        asked = list(dict.fromkeys(hashes))
        used: set[str] = set()
        async with self._database.read() as connection:
            for start in range(0, len(asked), MOST_AT_ONCE):
                used |= await _used(connection, asked[start : start + MOST_AT_ONCE])
        return [sha256 for sha256 in asked if sha256 not in used]


async def insert_file(connection: AsyncConnection, file: File, blob: int | None) -> None:
    """Store a new file in the caller's transaction."""
    if blob is not None:
        await keep_bytes(connection, blob, file.sha256, file.bytes)
    await connection.execute(insert(files).values(to_row(files, file)))


async def _used(connection: AsyncConnection, hashes: Sequence[str]) -> set[str]:
    queries = (
        select(table.c.sha256).where(table.c.sha256.in_(hashes)) for table in (files, upload_parts)
    )
    return {sha256 for query in queries for sha256 in await connection.scalars(query)}


async def _forget_resource(
    connection: AsyncConnection, table: Table, owner: str, file_id: str
) -> None:
    # Ids are letters and digits: where the text holds one, it names this file.
    names_it = cast(table.c.tool_resources, Text).contains(file_id, autoescape=True)
    query = select(table.c.seq, table.c.tool_resources).where(table.c.owner == owner, names_it)
    naming = query.order_by(table.c.seq).with_for_update()
    for seq, resources in (await connection.execute(naming)).all():
        changed = {"tool_resources": _without(resources, file_id)}
        await connection.execute(update(table).where(table.c.seq == seq).values(changed))


def _without(resources: JSON, file_id: str) -> JSON:
    interpreter = resources.get("code_interpreter")
    if not interpreter:
        return resources
    kept = [known for known in interpreter.get("file_ids", []) if known != file_id]
    return resources | {"code_interpreter": interpreter | {"file_ids": kept}}


def _of(owner: str, file_id: str) -> tuple[Any, Any]:
    return files.c.owner == owner, files.c.id == file_id


def _lasts(now: float) -> ColumnElement[bool]:
    return or_(files.c.expires_at.is_(None), files.c.expires_at > now)


def _unknown(file_id: str) -> NotFound:
    return NotFound(f"No such File object: {file_id}", param="id")
