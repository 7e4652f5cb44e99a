"""A store for tests that only concern the one database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamlit_assistant.store import Store
from tests.conftest import FakeClock, copied_database, opened_store


@pytest.fixture
async def sqlite_store(
    empty_database: Path, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Store]:
    """A store in SQLite, whatever its file is marked with; for query plans, for example."""
    async with opened_store(copied_database(empty_database, tmp_path), clock) as opened:
        yield opened
