"""Requests that may come twice: what is known of each under its owner's `Idempotency-Key`.

A row is made before the request is carried out, and names the process that does it. Whatever the
request stores, it notes in the row too, in the same transaction: so a repetition can tell that it
was carried out even if the process was killed before it had stored its answer.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import Conflict
from streamlit_assistant.records import ID_MADE, JSON, Clock
from streamlit_assistant.store.database import ALONGSIDE, Database
from streamlit_assistant.store.process_tables import executors, idempotency_keys
from streamlit_assistant.store.rows import to_record, to_row

KEPT_SECONDS = 24 * 3600  # afterwards a key is as good as new

# Built once, because every request with a key executes them.
_NAMED = (
    idempotency_keys.c.owner == bindparam("named_owner"),
    idempotency_keys.c.key == bindparam("named_key"),
)
_CLAIMED = (*_NAMED, idempotency_keys.c.claim == bindparam("claimed"))
_FIND = select(idempotency_keys).where(*_NAMED).with_for_update()
_ADD = insert(idempotency_keys)
_CHANGE = update(idempotency_keys).where(*_CLAIMED)
_REMOVE = delete(idempotency_keys).where(*_CLAIMED)
_REMOVE_UNMADE = _REMOVE.where(idempotency_keys.c.made.is_(None))


@dataclass(frozen=True)
class KeyedRequest:
    """A request with a key. `target` and `body_sha256` tell whether another one is the same.

    `claim` belongs to one attempt at it. `made` is None until something was stored. Without an
    `answer` a `status` says that there was one which was not kept. `is_live`: it is being carried
    out right now.
    """

    owner: str
    key: str
    created_at: int
    claim: str
    lease_owner: str | None
    target: str
    body_sha256: str | None = None
    made: Sequence[str] | None = None
    status: int | None = None
    headers: Sequence[Sequence[str]] | None = None
    answer: bytes | None = None
    is_live: bool = False


class IdempotencyKeys:
    """The `idempotency_keys` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, wanted: KeyedRequest, in_flight: Collection[str]) -> KeyedRequest:
        """Return `wanted` if it is to be carried out now, else what is known of the first one.

        `in_flight` are the claims this process is busy with, this one included.
        """

        async def claim(connection: AsyncConnection) -> KeyedRequest:
            known = await self._find(connection, wanted)
            if known is not None and known.claim in in_flight:
                return replace(known, is_live=True)
            if known is None:
                await connection.execute(_ADD, _row(wanted))
            elif self._is_free(known):
                await connection.execute(_CHANGE, {**_row(wanted), **_claimed(known)})
            else:
                return known
            return wanted

        while True:
            try:
                return await self._database.transact(claim)
            except IntegrityError:
                continue  # another process inserted the same key this instant

    async def take_over(self, known: KeyedRequest, wanted: KeyedRequest) -> bool:
        """Let `wanted` be carried out in place of a request of which nothing is left."""
        changed = {**_row(wanted), **_claimed(known)}

        async def take_over(connection: AsyncConnection) -> bool:
            return (await connection.execute(_CHANGE, changed)).rowcount > 0

        return await self._database.transact(take_over)

    async def remember(
        self,
        request: KeyedRequest,
        body_sha256: str | None,
        status: int,
        headers: Sequence[Sequence[str]],
        answer: bytes | None,
    ) -> None:
        """Keep what a request was answered with, for every repetition."""
        changed = {
            "body_sha256": body_sha256,
            "status": status,
            "headers": headers,
            "answer": answer,
            "lease_owner": None,
            **_claimed(request),
        }

        async def remember(connection: AsyncConnection) -> None:
            await connection.execute(_CHANGE, changed)

        await self._database.transact(remember)

    async def release(self, request: KeyedRequest, *, refused: bool) -> None:
        """Free the key of a request that was `refused`, or failed before it had stored anything.

        One that failed later is left to the next repetition.
        """
        remove, claimed = _REMOVE if refused else _REMOVE_UNMADE, _claimed(request)

        async def release(connection: AsyncConnection) -> None:
            if (await connection.execute(remove, claimed)).rowcount == 0:
                await connection.execute(_CHANGE, {"lease_owner": None, **claimed})

        await self._database.transact(release)

    async def forget(self, older_than: int) -> None:
        """Drop what was asked before a time."""
        query = delete(idempotency_keys).where(idempotency_keys.c.created_at < older_than)

        async def forget(connection: AsyncConnection) -> None:
            await connection.execute(query)

        await self._database.transact(forget)

    async def _find(self, connection: AsyncConnection, wanted: KeyedRequest) -> KeyedRequest | None:
        row = (await connection.execute(_FIND, _named(wanted))).mappings().first()
        if row is None:
            return None
        lives = select(executors.c.seq).where(
            executors.c.name == row["lease_owner"],
            executors.c.lease_until > self._database.now(),
            # What this very process holds and is not busy with was dropped on the way.
            executors.c.name != wanted.lease_owner,
        )
        is_live = (await connection.execute(lives)).first() is not None
        return to_record(KeyedRequest, {**row, "is_live": is_live})

    def _is_free(self, known: KeyedRequest) -> bool:
        if known.created_at <= int(self._clock()) - KEPT_SECONDS:
            return True
        return not known.is_live and known.made is None and known.status is None


class Claim:
    """One attempt at a request: whatever is stored meanwhile also notes what it made."""

    def __init__(
        self,
        request: KeyedRequest,
        kinds: tuple[str, ...] = (),
        body_sha256: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`kinds` are the beginnings of the ids worth noting; the body may still be being read."""
        self.request = request
        self.body_sha256 = body_sha256
        self._kinds = kinds
        self._made: list[str] = []
        self._over = False

    @contextmanager
    def attending(self) -> Iterator[None]:
        """Note what is stored in the block, and by the tasks begun in it until it is over."""
        told, alongside = ID_MADE.set(self._hear), ALONGSIDE.set(self._note)
        try:
            yield
        finally:
            self.end()
            ID_MADE.reset(told)
            ALONGSIDE.reset(alongside)

    def end(self) -> None:
        """Note no more: what comes now is no longer the request's."""
        self._over = True

    def _hear(self, made: str) -> None:
        if not self._over and made.startswith(self._kinds):
            self._made.append(made)

    async def _note(self, connection: AsyncConnection) -> None:
        if self._over:
            return
        noted = {"made": [*self._made], "body_sha256": self.body_sha256()}
        claimed = _claimed(self.request)
        if (await connection.execute(_CHANGE, {**noted, **claimed})).rowcount == 0:
            # This process was taken for dead: what it was about to store, somebody else did.
            raise Conflict(
                "Another process carries out this request. Repeat it in a moment.",
                code="idempotency_key_in_use",
            )


def _row(request: KeyedRequest) -> JSON:
    return to_row(idempotency_keys, request)


def _named(request: KeyedRequest) -> JSON:
    return {"named_owner": request.owner, "named_key": request.key}


def _claimed(request: KeyedRequest) -> JSON:
    return {**_named(request), "claimed": request.claim}
