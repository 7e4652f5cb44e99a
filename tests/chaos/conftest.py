"""Sites of one or several processes that tests may kill, stop and start at will."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.chaos.cluster import Caller, Cluster, Place, caller
from tests.chaos.planned_model import PlannedModel
from tests.chaos.zygote import Zygote, zygote
from tests.conftest import API_KEY
from tests.upstream import served

# So that a test need not wait ten seconds until a lease is over.
HURRY: Mapping[str, float] = MappingProxyType({"heartbeat": 0.5, "lease": 2.0, "look": 0.5})

NewSite = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture(scope="package")
def forks() -> Iterator[Zygote]:
    """What starts the processes."""
    with zygote() as started:
        yield started


@pytest.fixture
def model() -> Iterator[PlannedModel]:
    """The model server of all processes; it lives in the process of the test."""
    with served(PlannedModel()) as running:
        yield running


@pytest.fixture
def new_site(
    forks: Zygote,
    model: PlannedModel,
    tmp_path: Path,
    empty_database: Path,
    database: str,
    request: pytest.FixtureRequest,
) -> NewSite:
    """Starts a site of so many processes in the test's database, or of one for each of `roles`.

    They are killed in the end.
    """
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None

    def settings(number: int) -> dict[str, Any]:
        own = {"assistant_api_key": API_KEY, "openai_base_url": model.base_url}
        if url is not None:
            # As on machines of their own, which share the database and nothing else.
            return {**own, "data_dir": str(tmp_path / f"machine{number}"), "database_url": url}
        folder = tmp_path / "machine"
        if not folder.exists():
            folder.mkdir(mode=0o700)
            shutil.copy(empty_database, folder / "assistant.db")
        return {**own, "data_dir": str(folder)}

    @asynccontextmanager
    async def site(
        processes: int = 1,
        seed: int = 1,
        pace: Mapping[str, float] = MappingProxyType({}),
        roles: Sequence[str] = (),
        **options: Any,
    ) -> AsyncIterator[Caller]:
        roles = roles or ["all"] * processes
        places = [
            Place({**settings(n), "role": role, **options}, tmp_path / f"process{n}.log")
            for n, role in enumerate(roles)
        ]
        cluster = Cluster(forks, places, seed, pace)
        try:
            await cluster.until_healthy()
            async with caller(cluster) as asking:
                yield asking
        finally:
            forks.kill_all()

    return site
