"""Whole answers of models, kept for a while for whoever asks the very same again."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.upstream_tables import cached_answers

_FIND = select(cached_answers.c.deltas).where(
    cached_answers.c.key == bindparam("named"), cached_answers.c.expires_at > bindparam("now")
)
_ADD = insert(cached_answers)
_CHANGE = update(cached_answers).where(cached_answers.c.key == bindparam("named"))
_FORGET = delete(cached_answers).where(cached_answers.c.expires_at <= bindparam("now"))


class AnswerCache:
    """The `cached_answers` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, key: str) -> Sequence[JSON] | None:
        """Return the answer that is kept under a key, unless its time is over."""
        async with self._database.read() as connection:
            named = {"named": key, "now": int(self._clock())}
            found: Sequence[JSON] | None = (await connection.execute(_FIND, named)).scalar()
        return found

    async def put(self, key: str, deltas: Sequence[JSON], seconds: int) -> None:
        """Keep an answer for so many seconds, in place of what was kept under the key."""
        now = int(self._clock())
        values = {"created_at": now, "expires_at": now + seconds, "deltas": deltas}

        async def put(connection: AsyncConnection) -> None:
            changed = await connection.execute(_CHANGE, {"named": key, **values})
            if changed.rowcount == 0:
                await connection.execute(_ADD, {"key": key, **values})

        while True:
            try:
                return await self._database.transact(put)
            except IntegrityError:
                continue  # another process kept the same answer this instant

    async def forget_expired(self) -> None:
        """Drop the answers whose time is over."""
        expired = {"now": int(self._clock())}

        async def forget(connection: AsyncConnection) -> None:
            await connection.execute(_FORGET, expired)

        await self._database.transact(forget)
