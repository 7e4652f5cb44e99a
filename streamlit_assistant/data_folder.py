"""The data folder: private, owned by one process at a time, and the site's key in it."""

import fcntl
import os
import secrets
from pathlib import Path

from streamlit_assistant.errors import StartError
from streamlit_assistant.setting_values import OWN_KEY

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
DATABASE = "assistant.db"
_LOCK = "lock"
_SITE_KEY = "site.key"


def new_key() -> str:
    """Return a key that cannot be guessed, recognisable in a configuration file."""
    return f"sa-{secrets.token_urlsafe(32)}"


class DataFolder:
    """`DATA_DIR`. `open` makes it and locks it and its database; the locks end with the process."""

    def __init__(self, path: Path, database_url: str | None = None) -> None:
        """`database_url` is `sqlite:///PATH` if the database lies elsewhere."""
        self._path = path
        elsewhere = database_url and Path(database_url.removeprefix("sqlite:///"))
        self._database = elsewhere or path / DATABASE
        self._locks: list[int] = []

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self._database

    def open(self) -> None:
        """Make the folder if need be and keep other processes out; raise `StartError`."""
        try:
            if not self._path.is_dir():
                self._path.mkdir(mode=PRIVATE_FOLDER, parents=True)
        except OSError as error:
            raise _unusable("DATA_DIR", self._path, error) from error
        self._lock("DATA_DIR", self._path / _LOCK)
        # Two processes on one database would take each other's runs for left behind.
        self._lock("DATABASE_URL", self._database.with_name(f"{self._database.name}.lock"))
        try:
            self._database.touch(PRIVATE_FILE)
        except OSError as error:
            raise _unusable("DATABASE_URL", self._database, error) from error

    def close(self) -> None:
        """Let other processes in."""
        locks, self._locks = self._locks, []
        for lock in locks:
            os.close(lock)

    def _lock(self, setting: str, file: Path) -> None:
        try:
            lock = os.open(file, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise _unusable(setting, file.parent, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            self.close()
            raise StartError(
                f"{setting}: another process is already serving from {file.parent}; "
                "stop it, or choose another place (--data-dir)."
            ) from error
        self._locks.append(lock)

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
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w"
        ) as f:
            f.write(text)
        draft.replace(file)


def _unusable(setting: str, folder: Path, error: OSError) -> StartError:
    return StartError(
        f"{setting}: the folder {folder} cannot be used ({error.strerror}); "
        "choose one that you may write to."
    )
