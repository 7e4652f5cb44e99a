"""One vector store in the caller's transaction: found, made, kept alive by use, or expired."""

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.file_records import VectorStore
from streamlit_assistant.records import JSON
from streamlit_assistant.store.file_tables import vector_stores
from streamlit_assistant.store.rows import to_record, to_row

DAY = 86_400
NOBODY = ""  # the owner of a deleted vector store until its chunks are gone


async def insert_row(connection: AsyncConnection, store: VectorStore) -> None:
    """Store a new, empty vector store in the caller's transaction."""
    row = to_row(vector_stores, store) | activity(store.expires_after, store.created_at)
    del row["seq"]  # the database's to choose
    await connection.execute(insert(vector_stores).values(row))


async def find_vector_store(
    connection: AsyncConnection, owner: str, vector_store_id: str, *, lock: bool = False
) -> VectorStore:
    """Return the owner's vector store, or raise `NotFound`; `lock` it in order to write."""
    query = select(vector_stores).where(
        vector_stores.c.owner == owner, vector_stores.c.id == vector_store_id
    )
    query = query.with_for_update() if lock else query
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise NotFound(f"Vector store with id ['{vector_store_id}'] not found.")
    return to_record(VectorStore, row)


async def lock_vector_store(connection: AsyncConnection, vector_store_id: str) -> None:
    """Let nobody else change a vector store or which files it has until the transaction ends.

    Whoever changes both locks the store before its files, so that nobody waits in a circle.
    """
    query = select(vector_stores.c.seq).where(vector_stores.c.id == vector_store_id)
    await connection.execute(query.with_for_update())


async def touch(connection: AsyncConnection, store: VectorStore, now: int) -> None:
    """Note that a vector store which has not expired is in use, in the caller's transaction."""
    mine = vector_stores.c.id == store.id
    await connection.execute(
        update(vector_stores)
        .where(mine, ~has_expired(now))
        .values(activity(store.expires_after, now))
    )


def refuse_expired(store: VectorStore, now: float) -> None:
    """Raise `InvalidRequest` where a vector store has expired."""
    if store.expires_at is not None and store.expires_at <= now:
        raise InvalidRequest(
            f"Vector store {store.id} has expired; create a new one with the same files.",
            param="vector_store_id",
            code="vector_store_expired",
        )


def has_expired(now: float) -> ColumnElement[bool]:
    """Return the condition under which a vector store has expired."""
    return vector_stores.c.expires_at.is_not(None) & (vector_stores.c.expires_at <= now)


def activity(expires_after: JSON | None, now: int) -> JSON:
    """Return the columns of a vector store that is in use at `now`."""
    expires_at = now + expires_after["days"] * DAY if expires_after else None
    return {"last_active_at": now, "expires_at": expires_at}
