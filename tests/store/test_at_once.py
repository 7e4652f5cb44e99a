"""Transactions in one go: all or nothing, one after the other, awaiting nothing but the store."""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.database import Database
from streamlit_assistant.store.sqlite_database import SqliteDatabase
from streamlit_assistant.store.tables import api_keys

COUNT = select(func.count()).select_from(api_keys)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = SqliteDatabase(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", lambda: 0.0)
    await opened.open()
    yield opened
    await opened.close()


def row(name: str) -> dict[str, object]:
    return {"owner": "me", "label": name, "sha256": name, "created_at": 1}


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(COUNT)).scalar_one())


async def test_what_it_returns_and_stores_is_kept(database: Database) -> None:
    async def work(connection: AsyncConnection) -> int:
        await connection.execute(insert(api_keys), row("a"))
        return (await connection.execute(insert(api_keys), row("b"))).rowcount

    assert await database.transact(work) == 1
    assert await count(database) == 2


async def test_what_fails_stores_nothing(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(api_keys), row("a"))
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(work)
    assert await count(database) == 0


class Suspending:
    """Something that is not there yet."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def test_whoever_awaits_something_else_is_refused(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(api_keys), row("a"))
        await Suspending()

    with pytest.raises(AssertionError, match="something else than its connection"):
        await database.transact(work)
    assert await count(database) == 0


async def test_many_writers_take_turns(database: Database) -> None:
    async def work(connection: AsyncConnection, name: str) -> None:
        before = (await connection.execute(COUNT)).scalar_one()
        await connection.execute(insert(api_keys), row(name))
        assert (await connection.execute(COUNT)).scalar_one() == before + 1

    await asyncio.gather(*(database.transact(partial(work, name=f"{n}")) for n in range(40)))

    assert await count(database) == 40


async def test_a_waiter_that_gives_up_stops_nobody(database: Database) -> None:
    begun, end = threading.Event(), threading.Event()

    async def slowly(connection: AsyncConnection) -> None:
        begun.set()
        end.wait()
        await connection.execute(insert(api_keys), row("first"))

    async def late(connection: AsyncConnection) -> None:
        await connection.execute(insert(api_keys), row("late"))

    first = asyncio.create_task(database.transact(slowly))
    await asyncio.to_thread(begun.wait)
    waiting = asyncio.create_task(database.transact(late))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    end.set()
    await first

    assert await count(database) == 1
