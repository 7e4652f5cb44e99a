"""A site whose requests carry keys, with a scripted model, and its database to tamper with."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, NullPool, create_engine, update

from streamlit_assistant.store.process_tables import idempotency_keys
from tests.conformance.plain_http import Wire
from tests.conftest import API_KEY, LiveServer, new_site, serve
from tests.upstream import Upstream, model_server


@dataclass(frozen=True)
class KeyedSite:
    """A site with a model, and its database."""

    live: LiveServer
    upstream: Upstream
    engine: Engine

    def http(self) -> httpx.Client:
        """A client without any help, to be closed."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return httpx.Client(base_url=f"{self.live.url}/v1", headers=headers, timeout=30)

    def lose_answer(self, key: str) -> None:
        """Leave what a process leaves that is killed before it has stored its answer."""
        nothing = {"status": None, "headers": None, "answer": None, "lease_owner": "executor_gone"}
        with self.engine.begin() as connection:
            query = update(idempotency_keys).where(idempotency_keys.c.key == key)
            assert connection.execute(query.values(nothing)).rowcount == 1


@contextmanager
def keyed_site(
    folder: Path, empty_database: Path, database: str, request: pytest.FixtureRequest
) -> Iterator[KeyedSite]:
    """Serve a new site in one of the kinds of databases until the block ends."""
    settings = new_site(folder, empty_database)
    url = f"sqlite:///{settings.data_dir}/assistant.db"
    if database == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
        settings = dataclasses.replace(settings, database_url=url)
        url = url.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url, poolclass=NullPool)
    with model_server() as upstream:
        settings = dataclasses.replace(settings, openai_base_url=upstream.base_url)
        with serve(settings) as live:
            yield KeyedSite(live, upstream, engine)
    engine.dispose()


def send(http: httpx.Client, key: str, wire: Wire) -> httpx.Response:
    """Make a request with a key."""
    headers = {"Idempotency-Key": key}
    return http.request(wire.method, wire.path, headers=headers, **wire.body)


def post(http: httpx.Client, key: str, path: str, **body: Any) -> httpx.Response:
    """Post JSON with a key."""
    return send(http, key, Wire("POST", path, {"json": body}))


def is_replayed(answer: httpx.Response) -> bool:
    """Whether nothing was done for an answer."""
    return bool(answer.headers.get("idempotent-replayed") == "true")
