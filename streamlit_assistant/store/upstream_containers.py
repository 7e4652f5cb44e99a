"""Containers: where a model server executes code for a thread, one a thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import threads
from streamlit_assistant.store.upstream_tables import upstream_containers

_OF_THREAD = upstream_containers.c.thread_id == bindparam("named")
_FIND = select(upstream_containers).where(
    _OF_THREAD, upstream_containers.c.server == bindparam("asked")
)
_THREAD = select(threads.c.seq).where(threads.c.id == bindparam("named"))
_ADD = insert(upstream_containers)
_CHANGE = update(upstream_containers).where(_OF_THREAD)
_REMOVE = delete(upstream_containers).where(_OF_THREAD)


@dataclass(frozen=True)
class UpstreamContainer:
    """A container of a model server. `files`: its ids of files, by ours."""

    thread_id: str
    server: str
    container_id: str
    files: Mapping[str, str] = field(default_factory=dict)
    used_at: int = 0


class UpstreamContainers:
    """The `upstream_containers` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, thread_id: str, server: str) -> UpstreamContainer | None:
        """Return the thread's container, if it is one of this server."""
        named = {"named": thread_id, "asked": server}
        async with self._database.read() as connection:
            row = (await connection.execute(_FIND, named)).mappings().first()
        return None if row is None else to_record(UpstreamContainer, row)

    async def put(
        self, thread_id: str, server: str, container_id: str, files: Mapping[str, str]
    ) -> None:
        """Note the container that a thread uses now, in place of the one it had.

        A thread that is gone by now has none.
        """
        named = {"named": thread_id}
        values: JSON = {
            "server": server,
            "container_id": container_id,
            "files": {**files},
            "used_at": int(self._clock()),
        }

        async def put(connection: AsyncConnection) -> None:
            changed = await connection.execute(_CHANGE, {**named, **values})
            if changed.rowcount == 0 and (await connection.execute(_THREAD, named)).first():
                await connection.execute(_ADD, {"thread_id": thread_id, **values})

        while True:
            try:
                return await self._database.transact(put)
            except IntegrityError:
                continue  # the thread was deleted this instant, or another process noted one

    async def forget(self, thread_id: str) -> None:
        """Forget the thread's container: it is gone."""

        async def forget(connection: AsyncConnection) -> None:
            await connection.execute(_REMOVE, {"named": thread_id})

        await self._database.transact(forget)
