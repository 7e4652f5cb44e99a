"""A throw-away PostgreSQL: a cluster in a folder of its own, on a free port of this machine."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from streamlit_assistant.store import Store
from tests.start_process import free_port

DEBIAN = Path("/usr/lib/postgresql")  # a folder for each version; not on the path
SERVICE_USER = "postgres"  # whom Debian's package makes: PostgreSQL refuses to run as root
ROLE = "site"
ADMIN, TEMPLATE = "postgres", "template_site"
LONGEST_START = 60.0  # seconds; also of one that recovers
OPTIONS = (
    *("max_connections=200", "log_min_messages=fatal", "listen_addresses=127.0.0.1"),
    # It would go through the databases of all tests in turns.
    "autovacuum=off",
)
# A database that is thrown away need not outlive the machine; it outlives its processes all the
# same, because what they have written is the kernel's.
CARELESS = ("fsync=off", "full_page_writes=off", "max_wal_size=128MB")
MEMORY = Path("/dev/shm")  # a folder in memory; copying a database there takes a tenth of the time
ENOUGH_MEMORY = 2 << 30  # bytes; containers often have next to nothing there


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest ones; None if there are none."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


class Postgres:
    """One cluster. Every database it makes has our tables already."""

    def __init__(self, folder: Path, options: tuple[str, ...]) -> None:
        self._folder = folder
        self._options = options
        self._port = free_port()
        self._names = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """What `DATABASE_URL` is set to."""
        return f"postgresql://{ROLE}@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Return the address of a database as a fresh site finds it after its first start."""
        name = f"site_{next(self._names)}"
        # Copying the files is faster than the log that is PostgreSQL's default.
        self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever still uses it."""
        self.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def run(self, statement: str, *values: Any, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement, in the given database or none of ours; return the rows, if any."""
        with psycopg.connect(url or self.url(ADMIN), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def hang_up(self, url: str, query: str = "") -> int:
        """Cut the connections to a database whose last statement begins so; return how many."""
        found = self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND query ILIKE %s",
            *(url.rpartition("/")[2], f"{query}%"),
        )
        return len(found)

    def create(self) -> None:
        """Make the cluster's files, start it, and make the database that others are copied from."""
        options = ("--no-sync", "--auth=trust", f"--username={ROLE}", "--encoding=UTF8")
        assert self._popen("initdb", *options, "--locale=C.UTF-8").wait() == 0, self.log
        self.start()
        self.run(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(self._make_tables())

    def start(self) -> None:
        """Start the server; it accepts connections when this returns."""
        given = [f"unix_socket_directories={self._folder}", f"port={self._port}"]
        options = [part for option in (*given, *self._options) for part in ("-c", option)]
        self._process = self._popen("postgres", *options)
        deadline = time.monotonic() + LONGEST_START
        while True:
            assert self._process.poll() is None, self.log
            try:
                return psycopg.connect(self.url(ADMIN)).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill it: no connection is told good-bye, what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        """What it has complained about so far."""
        return (self._folder / "log").read_text(encoding="utf-8")

    def _popen(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        folder = programs()
        assert folder is not None
        is_root = os.geteuid() == 0
        user = SERVICE_USER if is_root else None
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [folder / program, "-D", self._folder / "data", *arguments],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests, which then stop it themselves.
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if is_root else None,
            )

    async def _make_tables(self) -> None:
        store = Store(self.url(TEMPLATE), lambda: 0)
        await store.open()
        await store.close()


@contextmanager
def postgres_server(*, careless: bool = True) -> Iterator[Postgres]:
    """A cluster for as long as the block lasts; `careless` ones are faster and fear power cuts."""
    # Not one of pytest's folders: those are closed to the user PostgreSQL runs as.
    parent = MEMORY if careless and _has_memory() else None
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
    if os.geteuid() == 0:
        shutil.chown(folder, SERVICE_USER, SERVICE_USER)
    server = Postgres(folder, (*OPTIONS, *(CARELESS if careless else ())))
    try:
        server.create()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _has_memory() -> bool:
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH_MEMORY
