"""The database of the site, as the archive needs it: there already, and for one at a time."""

import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path

from streamlit_assistant.archive.archive_errors import ArchiveError
from streamlit_assistant.data_folder import DataFolder
from streamlit_assistant.setting_values import is_postgres
from streamlit_assistant.settings import Settings
from streamlit_assistant.store import site_url
from streamlit_assistant.store.archived_return import ArchivedReturn
from streamlit_assistant.store.archived_threads import ArchivedThreads
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.migrations import HEAD
from streamlit_assistant.store.postgres_database import PostgresDatabase
from streamlit_assistant.store.sqlite_database import SqliteDatabase

ANOTHER = "Another `start archive` is at work on this database; try again once it has ended."


class SiteDatabase:
    """What leaves it, what comes back, and that this lasts."""

    def __init__(self, database: Database, file: Path | None) -> None:
        """`file` is where it lies, if it is one."""
        self._file = file
        self.leaving = ArchivedThreads(database)
        self.returning = ArchivedReturn(database)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Let nobody else move threads of this database until the block ends."""
        with _turn(self._file) if self._file else nullcontext():
            async with self.leaving.alone() as is_alone:
                if not is_alone:
                    raise ArchiveError(ANOTHER)
                yield

    def settle(self) -> None:
        """Have what was stored outlive a power failure; PostgreSQL sees to that by itself."""
        if self._file is None:
            return
        with _usable(self._file):
            for path in (self._file, self._file.with_name(f"{self._file.name}-wal")):
                if path.exists():
                    number = os.open(path, os.O_RDWR)
                    try:
                        os.fsync(number)
                    finally:
                        os.close(number)


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[SiteDatabase]:
    """Give the database of a site, served at the same time or not; raise `ArchiveError`.

    It is neither made nor changed in its form: that is for whoever serves the site.
    """
    folder = DataFolder(settings.data_dir, settings.database_url)
    file = None if is_postgres(settings.database_url) else folder.database
    if file is not None:
        _ensure_there(file)
    url = site_url(settings.database_url, folder.database)
    database = PostgresDatabase(url) if file is None else SqliteDatabase(url, time.time)
    try:
        if file is not None:
            with _usable(file):
                folder.open()
        site = SiteDatabase(database, file)
        await _ensure_known(site.leaving)
        yield site
    finally:
        await database.close()
        folder.close()


def _ensure_there(file: Path) -> None:
    with _usable(file):
        is_there = file.is_file()
    if not is_there:
        raise ArchiveError(
            f"There is no database {file}; name the folder of the site with --data-dir."
        )


@contextmanager
def _usable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"The database {file} cannot be used ({error.filename or file}: {error.strerror}); "
            "run this as the user whom the server runs as."
        ) from error


@contextmanager
def _turn(file: Path) -> Iterator[None]:
    with _usable(file):
        lock = os.open(file.with_name(f"{file.name}.archive"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ArchiveError(ANOTHER) from error
        yield
    finally:
        os.close(lock)


async def _ensure_known(threads: ArchivedThreads) -> None:
    revision = await threads.revision()
    if revision is None:
        raise ArchiveError("The database holds no site; see DATABASE_URL and --data-dir.")
    if revision != HEAD:
        raise ArchiveError(
            f"The database has the schema {revision}, this version works with {HEAD}; "
            "start the server of this version once, then try again."
        )
