"""Signals on PostgreSQL: NOTIFY from one connection, LISTEN on another, neither in a pool."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

import psycopg
from sqlalchemy import URL

from streamlit_assistant.records import new_id
from streamlit_assistant.store.postgres_database import KEEP_ALIVE
from streamlit_assistant.store.signals import EVERYTHING, PROCESSES, Signals
from streamlit_assistant.waiting import came_within

CHANNEL = "streamlit_assistant"
GATHER_SECONDS = 0.002  # topics of so long go out together
REST_SECONDS = 0.5  # before a lost connection is made again
MOST_BYTES = 7_000  # PostgreSQL takes 8,000

logger = logging.getLogger(__name__)


class PostgresSignals(Signals):
    """Tells and hears topics, gathered and without repetitions."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        plain = url.set(drivername="postgresql").update_query_dict(KEEP_ALIVE)
        self._conninfo = plain.render_as_string(hide_password=False)
        self._me = new_id("sender")
        self._waiting: dict[str, None] = {}
        self._news = asyncio.Event()
        self._told = asyncio.Event()
        self._told.set()

    def send(self, *topics: str) -> None:
        """Tell the other processes within a few milliseconds, if there are any."""
        if self.neighbours or PROCESSES in topics:
            self._waiting.update(dict.fromkeys(topics))
            self._told.clear()
            self._news.set()

    async def told(self, seconds: float) -> None:
        """Wait until what was sent has gone out, at most so long."""
        await came_within(seconds, self._told)

    def loops(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Return the loops that listen and tell."""
        return [self._listen, self._notify]

    async def _listen(self) -> None:
        while True:
            try:
                async with await self._connected() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._tell(EVERYTHING)  # what was said before is lost
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except psycopg.OperationalError as error:
                await _rest("heard", error)

    def _hear(self, payload: str) -> None:
        sender, *topics = payload.split(" ")
        if sender != self._me:
            for topic in topics:
                self._tell(topic)

    async def _notify(self) -> None:
        while True:
            try:
                async with await self._connected() as connection:
                    while True:
                        await self._news.wait()
                        await asyncio.sleep(GATHER_SECONDS)
                        await self._say(connection)
            except psycopg.OperationalError as error:
                await _rest("told", error)

    async def _say(self, connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> None:
        self._news.clear()
        topics, self._waiting = self._waiting, {}
        for payload in _payloads(self._me, topics):
            await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
        if not self._waiting:  # more may have come meanwhile
            self._told.set()

    async def _connected(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        return await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=10
        )


def _payloads(sender: str, topics: Sequence[str] | dict[str, None]) -> Iterator[str]:
    payload = sender
    for topic in topics:
        if len(payload) + 1 + len(topic) > MOST_BYTES:
            yield payload
            payload = sender
        payload += f" {topic}"
    if payload != sender:
        yield payload


async def _rest(what: str, error: Exception) -> None:
    # No traceback: the database is away, which others say as well.
    reason = str(error).strip().partition("\n")[0]
    logger.warning("nothing is %s until the database is back: %s", what, reason)
    await asyncio.sleep(REST_SECONDS)
