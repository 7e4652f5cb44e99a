"""How a new mirror gets in between those who write, on PostgreSQL; on SQLite one is alone."""

import asyncio
import time

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from tests.conftest import opened_store
from tests.factories import make_message, make_thread
from tests.mirror.mirrored_store import until

KINDS = {"a": "redis"}


async def test_a_mirror_comes_after_whoever_writes_and_before_whoever_wants_to(
    postgres_url: str,
) -> None:
    thread = make_thread()
    first, second = make_message(thread.id), make_message(thread.id)

    def somebody_waits() -> bool:
        locks = "SELECT 1 FROM pg_locks WHERE NOT granted"
        with psycopg.connect(postgres_url) as looking:
            return looking.execute(locks).fetchone() is not None

    async with opened_store(postgres_url, time.time) as store:
        await store.threads.add(thread, [first])
        with psycopg.connect(postgres_url) as writing:
            # As far as one gets who has looked for mirrors and not committed yet.
            writing.execute("UPDATE messages SET role = role")
            registering = asyncio.create_task(store.mirrors.register(KINDS))
            await until(somebody_waits)
            adding = asyncio.create_task(store.messages.add(second))
            await asyncio.sleep(0.2)
            assert not registering.done()
            assert not adding.done()
        await registering
        await adding

        [change] = await store.mirror_outbox.changes("a", 9)
        assert change.message_id == second.id


async def test_nobody_waits_for_long_behind_a_mirror_that_has_to_wait(postgres_url: str) -> None:
    thread = make_thread()
    async with opened_store(postgres_url, time.time) as store:
        with psycopg.connect(postgres_url) as working:
            working.execute("LOCK TABLE messages IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM does

            with pytest.raises(OperationalError):  # it is tried again later
                await store.mirrors.register(KINDS)

            await store.threads.add(thread, [make_message(thread.id)])
        await store.mirrors.register(KINDS)
