"""The limits of model servers, shared by all processes: when the next request may be sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.database import Database
from streamlit_assistant.store.rate_booking import Booked, Limit, book
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.upstream_tables import upstream_rates

MINUTE = 60.0
# What is sent a moment late must not meet what follows: so much of a limit is made use of.
USED = 0.99

# Built once, because every request to a model executes them.
_OF_SERVER = upstream_rates.c.server == bindparam("named")
_FIND = select(upstream_rates).where(_OF_SERVER).with_for_update()
_ADD = insert(upstream_rates)
_CHANGE = update(upstream_rates).where(_OF_SERVER)


@dataclass(frozen=True)
class _Row:
    requests_at: float = 0.0
    requests_spare: float = 0.0
    tokens_at: float = 0.0
    tokens_spare: float = 0.0
    booked_at: float = 0.0

    def booked(self, now: float) -> tuple[Booked, Booked]:
        # A clock that was put back must not keep everybody waiting.
        back = max(self.booked_at - now, 0.0)
        return (
            Booked(self.requests_at - back, self.requests_spare),
            Booked(self.tokens_at - back, self.tokens_spare),
        )


class UpstreamRates:
    """The `upstream_rates` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self,
        server: str,
        tokens: int,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
    ) -> float:
        """Book one request of so many tokens; return the seconds until it may be sent.

        None is no limit. A request of more tokens than a minute allows waits for its turn only.
        """
        limits = (_requests(requests_per_minute), _tokens(tokens_per_minute))
        if limits == (None, None):
            return 0.0

        async def reserve(connection: AsyncConnection) -> float:
            found = (await connection.execute(_FIND, {"named": server})).mappings().first()
            # Asked for after the row is locked: waiting for it takes time.
            now = (await connection.execute(select(self._database.now()))).scalar_one()
            known = _Row() if found is None else to_record(_Row, found)
            slot, after = book(limits, (1.0, float(max(tokens, 1))), known.booked(now), now)
            values = _values(after, now)
            if found is None:
                await connection.execute(_ADD, {"server": server, **values})
            else:
                await connection.execute(_CHANGE, {"named": server, **values})
            return slot - now

        while True:
            try:
                return await self._database.transact(reserve)
            except IntegrityError:
                continue  # another process asked this server for the first time this instant


def _requests(per_minute: int | None) -> Limit | None:
    if not per_minute:
        return None
    rate = per_minute * USED / MINUTE
    # Some servers count by the second, and what is sent at once may arrive late: right before what
    # follows. So it is half a second's worth.
    return Limit(rate, max(rate / 2, 1.0))


def _tokens(per_minute: int | None) -> Limit | None:
    if not per_minute:
        return None
    # By the minute: a single request is often more than a second's worth.
    return Limit(per_minute * USED / MINUTE, per_minute * USED)


def _values(booked: Sequence[Booked], now: float) -> dict[str, float]:
    requests, tokens = booked
    return {
        "requests_at": requests.until,
        "requests_spare": requests.spare,
        "tokens_at": tokens.until,
        "tokens_spare": tokens.spare,
        "booked_at": now,
    }
