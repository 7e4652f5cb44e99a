"""The data folder: private, shared by the processes of a site, and the site's key in it."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamlit_assistant.errors import StartError
from streamlit_assistant.setting_values import OWN_KEY, is_postgres, postgres_place

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
DATABASE = "assistant.db"
_LOCK = "lock"
LONGEST_PLACE = 4096  # bytes
_SITE_KEY = "site.key"


def new_key() -> str:
    """Return a key that cannot be guessed, recognisable in a configuration file."""
    return f"sa-{secrets.token_urlsafe(32)}"


class DataFolder:
    """`DATA_DIR`, for one process or several at a time. `open` makes it; `close` when done."""

    def __init__(self, path: Path, database_url: str | None = None) -> None:
        """`database_url` says where the database lies if not in the folder."""
        self._path = path
        self._keeps_database = not is_postgres(database_url)
        elsewhere = database_url and Path(database_url.removeprefix("sqlite:///"))
        self._database = elsewhere or path / DATABASE
        self._place = (
            postgres_place(database_url)
            if is_postgres(database_url)
            else (str(self._database.absolute()))
        )
        self._locks: list[int] = []

    @property
    def database(self) -> Path:
        """The file of the database, where it is one."""
        return self._database

    def open(self) -> None:
        """Make the folder if need be; raise `StartError`."""
        try:
            self._path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable("DATA_DIR", self._path, error) from error
        # One after the other: who comes first says which database the folder belongs to.
        with _turn(self._path):
            self._refuse_other_database(self._lock("DATA_DIR", self._path / _LOCK))
        if self._keeps_database:
            self._open_database()

    def close(self) -> None:
        """Let go of the folder."""
        locks, self._locks = self._locks, []
        for lock in locks:
            os.close(lock)

    def _open_database(self) -> None:
        self._lock("DATABASE_URL", self._database.with_name(f"{self._database.name}.lock"))
        try:
            self._database.touch(PRIVATE_FILE)
        except OSError as error:
            raise _unusable("DATABASE_URL", self._database, error) from error

    def _refuse_other_database(self, lock: int) -> None:
        """Two databases on one folder would take each other's files for forgotten ones."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # others are using the folder
            fcntl.flock(lock, fcntl.LOCK_SH)  # asking for more may have lost what was held
            used = os.pread(lock, LONGEST_PLACE, 0).decode(errors="replace")
            if used in ("", self._place):
                return
            self.close()
            raise StartError(
                f"DATA_DIR: another process uses the folder {self._path} with the database {used}, "
                f"not {self._place}; give each site a folder of its own (--data-dir)."
            ) from None
        os.truncate(lock, 0)
        os.pwrite(lock, self._place.encode()[:LONGEST_PLACE], 0)
        fcntl.flock(lock, fcntl.LOCK_SH)

    def _lock(self, setting: str, file: Path) -> int:
        try:
            lock = os.open(file, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise _unusable(setting, file.parent, error) from error
        try:
            # Shared by all who know leases. Older versions ask for the lock alone: one of them
            # would take its neighbours' runs for left behind.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            self.close()
            raise StartError(
                f"{setting}: a process of an older version is serving from {file.parent}; "
                "stop it, or choose another place (--data-dir)."
            ) from error
        self._locks.append(lock)
        return lock

    def site_key(self) -> str:
        """Return the key the page uses, made on the first start; raise `StartError`."""
        file = self._path / _SITE_KEY
        try:
            if not file.exists():
                self._write_private(file, new_key())
            key = file.read_bytes().decode("ascii", "replace").strip()
        except OSError as error:
            raise StartError(f"The file {file} cannot be used ({error.strerror}).") from error
        if not OWN_KEY.fullmatch(key):
            raise StartError(f"The file {file} holds no key; delete it, and a new one is made.")
        return key

    def _write_private(self, file: Path, text: str) -> None:
        """Write a file at once, unless another process has done so in the meantime."""
        number, draft = tempfile.mkstemp(".new", file.name, file.parent)  # readable by us alone
        try:
            with os.fdopen(number, "w") as f:
                f.write(text)
            with suppress(FileExistsError):
                os.link(draft, file)
        finally:
            os.unlink(draft)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Keep other processes of ours out of what is done with a folder in the block."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _unusable(setting: str, folder: Path, error: OSError) -> StartError:
    return StartError(
        f"{setting}: the folder {folder} cannot be used ({error.strerror}); "
        "choose one that you may write to."
    )
