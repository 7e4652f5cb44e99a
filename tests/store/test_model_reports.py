"""Reports on models: the last of each, for all processes."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import func, select

from streamlit_assistant.store import Store
from streamlit_assistant.store.upstream_tables import model_reports
from tests.conftest import FakeClock, opened_store

pytestmark = pytest.mark.both_databases

KEY, OTHER_KEY = "a" * 64, "b" * 64
REPORT = {
    "report": {"checks": [{"detail": "né\n\u0000 你好"}], "tokens": 450},
    "capabilities": None,
}


@pytest.fixture
async def stores(database_url: str, clock: FakeClock) -> AsyncIterator[tuple[Store, Store]]:
    async with opened_store(database_url, clock) as one, opened_store(database_url, clock) as other:
        yield one, other


async def rows(store: Store) -> int:
    async with store._database.read() as connection:
        query = select(func.count()).select_from(model_reports)
        return int((await connection.execute(query)).scalar_one())


async def test_a_report_is_found_by_every_process(stores: Sequence[Store]) -> None:
    await stores[0].model_reports.put(KEY, REPORT)

    assert await stores[1].model_reports.get(KEY) == REPORT
    assert await stores[1].model_reports.get(OTHER_KEY) is None


async def test_the_newest_report_takes_the_place_of_the_one_before(store: Store) -> None:
    await store.model_reports.put(KEY, REPORT)
    await store.model_reports.put(OTHER_KEY, REPORT)
    await store.model_reports.put(KEY, {"report": {}})

    assert await store.model_reports.get(KEY) == {"report": {}}
    assert await store.model_reports.get(OTHER_KEY) == REPORT
    assert await rows(store) == 2


async def test_two_processes_leave_one_report(stores: Sequence[Store]) -> None:
    await asyncio.gather(*(stores[n % 2].model_reports.put(KEY, REPORT) for n in range(10)))

    assert await stores[0].model_reports.get(KEY) == REPORT
    assert await rows(stores[0]) == 1
