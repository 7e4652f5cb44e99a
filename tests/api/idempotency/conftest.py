"""A site whose requests carry keys, shared by the tests of a file."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.api.idempotency.keyed_site import KeyedSite, keyed_site
from tests.conformance.world import World


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    empty_database: Path,
    database: str,
    request: pytest.FixtureRequest,
) -> Iterator[KeyedSite]:
    folder = tmp_path_factory.mktemp("keyed")
    with keyed_site(folder, empty_database, database, request) as opened:
        yield opened


@pytest.fixture
def http(site: KeyedSite) -> Iterator[httpx.Client]:
    with site.http() as client:
        yield client


@pytest.fixture
def world(site: KeyedSite) -> World:
    return World(site.live.client())


@pytest.fixture
def key() -> str:
    return uuid4().hex
