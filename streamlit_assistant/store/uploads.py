"""Uploads in parts and their parts in the database."""

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.file_records import File, Upload, UploadPart, UploadStatus
from streamlit_assistant.store.blob_bytes import keep_bytes
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.file_tables import upload_parts, uploads
from streamlit_assistant.store.files import insert_file
from streamlit_assistant.store.rows import to_record, to_row


class Uploads:
    """The `uploads` and `upload_parts` tables. An upload whose time is over is unknown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, upload: Upload) -> Upload:
        """Store a new upload."""
        query = insert(uploads).values(to_row(uploads, upload))
        await self._database.transact(lambda connection: connection.execute(query))
        return upload

    async def get(self, owner: str, upload_id: str, now: float) -> Upload:
        """Return the owner's upload, whatever has become of it."""
        async with self._database.read() as connection:
            return await _find(connection, owner, upload_id, now)

    async def pending(self, owner: str, upload_id: str, now: float) -> Upload:
        """Return the owner's upload that still takes parts; refuse one that has ended."""
        async with self._database.read() as connection:
            return await _pending(connection, owner, upload_id, now)

    async def add_part(
        self, owner: str, part: UploadPart, now: float, most_bytes: int, blob: int | None = None
    ) -> None:
        """Store a part; all parts may hold `most_bytes` together.

        Its bytes must be in their place, or in a draft of the database.
        """

        async def add(connection: AsyncConnection) -> None:
            # First, as in `complete`: two that lock in turns would wait for each other.
            if blob is not None:
                await keep_bytes(connection, blob, part.sha256, part.bytes)
            await _pending(connection, owner, part.upload_id, now, lock=True)
            query = select(func.sum(upload_parts.c.bytes)).where(_in(part.upload_id))
            held = (await connection.execute(query)).scalar() or 0
            if held + part.bytes > most_bytes:
                raise InvalidRequest(
                    f"The parts of an upload can have at most {most_bytes} bytes together.",
                    param="data",
                )
            await connection.execute(insert(upload_parts).values(to_row(upload_parts, part)))

        await self._database.transact(add)

    async def parts(self, upload_id: str) -> list[UploadPart]:
        """Return the parts that have come, in the order in which they came."""
        query = select(upload_parts).where(_in(upload_id)).order_by(upload_parts.c.seq)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return [to_record(UploadPart, row) for row in rows]

    async def complete(
        self, upload: Upload, file: File, now: float, blob: int | None = None
    ) -> tuple[Upload, list[str]]:
        """Store the file that the upload became; return it and the hashes of its former parts."""
        done = {"status": UploadStatus.COMPLETED, "file_id": file.id}

        async def complete(connection: AsyncConnection) -> tuple[Upload, list[str]]:
            await insert_file(connection, file, blob)
            return await _end(connection, upload.owner, upload.id, now, done)

        return await self._database.transact(complete)

    async def cancel(self, owner: str, upload_id: str, now: float) -> tuple[Upload, list[str]]:
        """Take no more parts; return the upload and the hashes of its former parts."""
        cancelled = {"status": UploadStatus.CANCELLED}
        return await self._database.transact(
            lambda connection: _end(connection, owner, upload_id, now, cancelled)
        )

    async def expire(self, now: float) -> None:
        """Forget the uploads whose time is over, and their parts."""
        query = delete(uploads).where(uploads.c.expires_at <= now)
        await self._database.transact(lambda connection: connection.execute(query))


async def _find(
    connection: AsyncConnection, owner: str, upload_id: str, now: float, *, lock: bool = False
) -> Upload:
    mine = (uploads.c.owner == owner, uploads.c.id == upload_id, uploads.c.expires_at > now)
    query = select(uploads).where(*mine)
    found = await connection.execute(query.with_for_update() if lock else query)
    row = found.mappings().first()
    if row is None:
        raise NotFound(f"No such Upload object: {upload_id}", param="upload_id")
    return to_record(Upload, row)


async def _pending(
    connection: AsyncConnection, owner: str, upload_id: str, now: float, *, lock: bool = False
) -> Upload:
    upload = await _find(connection, owner, upload_id, now, lock=lock)
    if upload.status is not UploadStatus.PENDING:
        raise InvalidRequest(
            f"Upload {upload_id} is {upload.status}: only a pending upload can be changed.",
            param="upload_id",
        )
    return upload


async def _end(
    connection: AsyncConnection, owner: str, upload_id: str, now: float, changes: dict[str, Any]
) -> tuple[Upload, list[str]]:
    upload = await _pending(connection, owner, upload_id, now, lock=True)
    await connection.execute(update(uploads).where(uploads.c.id == upload_id).values(changes))
    forgotten = delete(upload_parts).where(_in(upload_id)).returning(upload_parts.c.sha256)
    return replace(upload, **changes), list((await connection.execute(forgotten)).scalars())


def _in(upload_id: str) -> ColumnElement[bool]:
    return upload_parts.c.upload_id == upload_id
