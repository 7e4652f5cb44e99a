"""Transactions in one go: all or nothing, one after the other, awaiting nothing but the store."""

import asyncio
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.tables import api_keys


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await opened.open()
    yield opened
    await opened.close()


def row(name: str) -> dict[str, object]:
    return {"owner": "me", "label": name, "sha256": name, "created_at": 1}


async def count(database: Database) -> int:
    async with database.read() as connection:
        found = await connection.execute(select(func.count()).select_from(api_keys))
        return int(found.scalar_one())


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


async def test_both_ways_of_writing_take_turns(database: Database) -> None:
    async def work(connection: AsyncConnection, name: str) -> None:
        await connection.execute(insert(api_keys), row(name))

    async def slowly(name: str) -> None:
        async with database.write() as connection:
            await connection.execute(insert(api_keys), row(name))
            await asyncio.sleep(0.01)

    quick = [database.transact(lambda c, n=n: work(c, f"quick {n}")) for n in range(20)]  # type: ignore[misc]
    await asyncio.gather(*quick, *(slowly(f"slow {n}") for n in range(20)))

    assert await count(database) == 40


async def test_a_waiter_that_gives_up_stops_nobody(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(api_keys), row("late"))

    async with database.write() as connection:
        waiting = asyncio.create_task(database.transact(work))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await connection.execute(insert(api_keys), row("first"))

    assert await count(database) == 1
