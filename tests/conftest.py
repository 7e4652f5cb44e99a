"""What most tests need: the real server column over real sockets, the real client, a fake model."""

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openai
import pytest
import uvicorn
from hypothesis import settings as hypothesis_settings
from starlette.applications import Starlette

from streamlit_assistant.records import Clock
from streamlit_assistant.server import Server
from streamlit_assistant.settings import Settings
from streamlit_assistant.store import Store
from tests.postgres import Postgres, postgres_server, programs

API_KEY = "test-key-0123456789"
DATABASES = ("sqlite", "postgresql")

# Every run of the tests makes up the same examples; a machine with other work to do is no failure.
hypothesis_settings.register_profile("same", derandomize=True, database=None, deadline=None)
hypothesis_settings.load_profile("same")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration applied, made once and copied."""
    path = tmp_path_factory.mktemp("template") / "assistant.db"

    async def make() -> None:
        store = Store(f"sqlite+aiosqlite:///{path}", lambda: 0)
        await store.open()
        await store.close()

    asyncio.run(make())
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL; without its programs the tests are skipped, except where they must not be."""
    if programs() is None:
        reason = "PostgreSQL is missing: apt-get install postgresql"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with postgres_server() as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `both_databases` with each of them."""
    marked = metafunc.definition.get_closest_marker("both_databases") is not None
    if marked and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", DATABASES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> str:
    """In which of `DATABASES` the store and the sites of a test keep things."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL database of this test's own, as after the first start."""
    url = postgres.new_database()
    yield url
    postgres.drop(url)


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database_url(
    database: str, empty_database: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> str:
    """A database of this test's own, as after the first start."""
    if database == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return copied_database(empty_database, tmp_path)


def copied_database(database: Path, folder: Path) -> str:
    """Return the address of a copy of an SQLite database."""
    shutil.copy(database, folder / "store.db")
    return f"sqlite+aiosqlite:///{folder / 'store.db'}"


@pytest.fixture
async def store(database_url: str, clock: FakeClock) -> AsyncIterator[Store]:
    async with opened_store(database_url, clock) as opened:
        yield opened


@asynccontextmanager
async def opened_store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """The store of a database, until the block ends."""
    opened = Store(url, clock)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


@dataclass
class LiveServer:
    """A server column on a real port."""

    url: str
    server: Server
    clients: ExitStack

    def client(self, api_key: str = API_KEY, **options: Any) -> openai.OpenAI:
        """Return the official client, pointed at this server; it does not retry.

        It is closed with the server.
        """
        options = {"max_retries": 0, "timeout": 30.0, **options}
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=api_key, **options)
        return self.clients.enter_context(client)


@contextmanager
def serve(settings: Settings, **options: Any) -> Iterator[LiveServer]:
    """Run a server column in a thread of its own until the block ends."""
    server = Server(settings, **{"local_base_url": None, **options})
    server.prepare()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = Starlette(routes=server.routes, lifespan=lifespan)
    with listen(app, before_end=server.begin_drain) as url, ExitStack() as clients:
        yield LiveServer(url, server, clients)


@contextmanager
def listen(app: Starlette, before_end: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Serve an application on a free port of this machine and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        # asyncio sets it only on sockets it made itself; without it every answer waits 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The protocol is named so that the test run does not depend on what else is installed.
        protocols: Any = {"ws": "none", "http": "httptools"}
        config = uvicorn.Config(app, log_level="warning", lifespan="on", **protocols)
        runner = uvicorn.Server(config)
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        _wait_until_started(runner, thread)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            before_end()
            runner.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not end"


def _wait_until_started(runner: uvicorn.Server, thread: threading.Thread) -> None:
    pause = threading.Event()
    while not runner.started:
        assert thread.is_alive(), "the server did not start"
        pause.wait(0.005)


def new_site(folder: Path, empty_database: Path) -> Settings:
    """Return the settings of a fresh site without a model server."""
    data_dir = folder / "data"
    data_dir.mkdir(mode=0o700)
    shutil.copy(empty_database, data_dir / "assistant.db")
    return Settings(data_dir=data_dir, assistant_api_key=API_KEY)


@pytest.fixture
def settings(
    tmp_path: Path, empty_database: Path, database: str, request: pytest.FixtureRequest
) -> Settings:
    """Settings of a site of this test's own."""
    site = new_site(tmp_path, empty_database)
    if database == "sqlite":
        return site
    return replace(site, database_url=request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module")
def offline(
    tmp_path_factory: pytest.TempPathFactory,
    empty_database: Path,
    database: str,
    request: pytest.FixtureRequest,
) -> Iterator[LiveServer]:
    """A site that no model is connected to, shared by the tests of a file."""
    site = new_site(tmp_path_factory.mktemp("offline"), empty_database)
    if database == "postgresql":
        site = replace(site, database_url=request.getfixturevalue("postgres").new_database())
    with serve(site) as live:
        yield live
