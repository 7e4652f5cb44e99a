"""SQLHistory keeps the contract in SQLite, in a file and in memory, and in PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from uuid import uuid4

import pytest

from streamlit_assistant.history import SQLHistory
from tests.history.contract import HistoryContract
from tests.postgres import Postgres


@dataclass
class SQLStore:
    """A database of many tests, each with sessions of its own."""

    url: str

    def __post_init__(self) -> None:
        self._own = uuid4().hex
        self._made: list[SQLHistory] = []

    def history(self, session_id: str) -> SQLHistory:
        made = SQLHistory(f"{self._own} {session_id}", self.url)
        self._made.append(made)
        return made

    def close(self) -> None:
        """Close every history, and with the last one what is only in memory."""
        for made in self._made:
            made.close()


@pytest.fixture(scope="module")
def file_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('histories')}/histories.db"


@pytest.fixture(scope="module")
def server_url(postgres: Postgres) -> str:
    return postgres.new_database()


class TestSQLiteHistory(HistoryContract):
    @pytest.fixture
    def store(self, file_url: str) -> SQLStore:
        return SQLStore(file_url)


class TestHistoryInMemory(HistoryContract):
    @pytest.fixture
    def store(self) -> Iterator[SQLStore]:
        with SQLHistory("keeps it open", "sqlite://"), closing(SQLStore("sqlite://")) as made:
            yield made


class TestPostgresHistory(HistoryContract):
    @pytest.fixture
    def store(self, server_url: str) -> SQLStore:
        return SQLStore(server_url)
