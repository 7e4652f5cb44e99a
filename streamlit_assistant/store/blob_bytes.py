"""The bytes of files in a database that several machines share.

A blob is written piece by piece as a draft, which has no name. It gets its content's hash for a
name in the transaction that inserts the first row which refers to it, and it is removed in one that
sees that no row does. Both hold a lock of that hash until their end.
"""

from sqlalchemy import ColumnElement, Integer, cast, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import ServerFault
from streamlit_assistant.records import Clock
from streamlit_assistant.store.database import ALONGSIDE, Database, T, Work
from streamlit_assistant.store.file_tables import blob_pieces, blobs, files, upload_parts

NAMING = 0x5A4E  # the advisory locks of hashes; any two may share one

_IS_DRAFT = blobs.c.sha256.is_(None)


class BlobBytes:
    """The `blobs` and `blob_pieces` tables, of PostgreSQL: SQLite is never shared."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self) -> int:
        """Add an empty draft and return its number."""
        query = insert(blobs).values(bytes=0, created_at=int(self._clock()))

        async def add(connection: AsyncConnection) -> int:
            return int((await connection.execute(query.returning(blobs.c.seq))).scalar_one())

        return await self._aside(add)

    async def append(self, blob: int, position: int, data: bytes) -> None:
        """Add a piece to a draft; the first one has position 0."""
        query = insert(blob_pieces).values(blob_seq=blob, position=position, data=data)
        await self._aside(lambda connection: connection.execute(query))

    async def discard(self, blob: int) -> None:
        """Remove a draft; not what has become of it."""
        query = delete(blobs).where(blobs.c.seq == blob, _IS_DRAFT)
        await self._aside(lambda connection: connection.execute(query))

    async def remove_drafts(self, seconds: int) -> None:
        """Remove the drafts that are older than this."""
        is_old = blobs.c.created_at < int(self._clock()) - seconds
        query = delete(blobs).where(is_old, _IS_DRAFT)
        await self._aside(lambda connection: connection.execute(query))

    async def find(self, sha256: str) -> tuple[int, int] | None:
        """Return the number and the size of the blob with this content, if there is one."""
        query = select(blobs.c.seq, blobs.c.bytes).where(blobs.c.sha256 == sha256)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else (row.seq, row.bytes)

    async def piece(self, blob: int, position: int) -> bytes | None:
        """Return a piece; None behind the last one."""
        is_it = (blob_pieces.c.blob_seq == blob, blob_pieces.c.position == position)
        async with self._database.read() as connection:
            return await connection.scalar(select(blob_pieces.c.data).where(*is_it))

    async def unused(self) -> list[str]:
        """Return the hashes of the blobs that no row refers to."""
        query = select(blobs.c.sha256).where(~_IS_DRAFT, ~_is_used(blobs.c.sha256))
        async with self._database.read() as connection:
            return [str(sha256) for sha256 in await connection.scalars(query)]

    async def forget(self, sha256: str) -> bool:
        """Remove the bytes unless a row refers to them; say whether they are gone."""
        named = blobs.c.sha256 == sha256

        async def remove(connection: AsyncConnection) -> bool:
            await _lock(connection, sha256)
            await connection.execute(delete(blobs).where(named, ~_is_used(blobs.c.sha256)))
            left = await connection.execute(select(blobs.c.seq).where(named))
            return left.first() is None

        return await self._aside(remove)

    async def _aside(self, work: Work[T]) -> T:
        # A request has stored nothing yet when it has stored a draft; what it has to note in its
        # transactions is noted in the one that keeps the bytes.
        noted = ALONGSIDE.set(None)
        try:
            return await self._database.transact(work)
        finally:
            ALONGSIDE.reset(noted)


async def keep_bytes(connection: AsyncConnection, blob: int, sha256: str, size: int) -> None:
    """Give a draft its name, before the caller's transaction inserts a row that refers to it.

    Where the same content is there already, that stays until the transaction's end at least.
    """
    await _lock(connection, sha256)
    is_it = (blobs.c.seq == blob, _IS_DRAFT)
    there = await connection.execute(select(blobs.c.seq).where(blobs.c.sha256 == sha256))
    if there.first() is not None:
        await connection.execute(delete(blobs).where(*is_it))
        return
    named = update(blobs).where(*is_it).values(sha256=sha256, bytes=size)
    if (await connection.execute(named)).rowcount == 0:
        raise ServerFault("The bytes took more than a day to come; send them again.")


def _is_used(sha256: ColumnElement[str | None]) -> ColumnElement[bool]:
    tables = (files, upload_parts)
    return or_(*(select(table.c.seq).where(table.c.sha256 == sha256).exists() for table in tables))


async def _lock(connection: AsyncConnection, sha256: str) -> None:
    # Signed, as PostgreSQL's integers are.
    part = int.from_bytes(bytes.fromhex(sha256[:8]), signed=True)
    keys = (cast(NAMING, Integer), cast(part, Integer))
    await connection.execute(select(func.pg_advisory_xact_lock(*keys)))
