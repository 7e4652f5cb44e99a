"""Addresses of SQL databases, and what may stand in them."""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from streamlit_assistant.history.drivers import driver
from streamlit_assistant.history.history_errors import BadAddress

# What people write, by other programs' habits too, and what SQLAlchemy is told.
_SQLITE, _POSTGRES = "sqlite+pysqlite", "postgresql+psycopg"
_DRIVERS = {
    "sqlite": _SQLITE,
    "sqlite+pysqlite": _SQLITE,
    "sqlite+aiosqlite": _SQLITE,
    "postgres": _POSTGRES,
    "postgresql": _POSTGRES,
    "postgresql+psycopg": _POSTGRES,
}
_ACCEPTED = "sqlite:///file.db, sqlite:////folder/file.db or postgresql://user:password@host/name"
PATIENCE = "patience"


@dataclass(frozen=True, slots=True)
class SQLAddress:
    """Where a database is, and what was asked of its histories."""

    url: URL
    patience: float | None


def sql_address(text: str) -> SQLAddress:
    """Return what a URL says; raise `BadAddress` or `MissingDriver`. Connects to nothing."""
    url = _parsed(text)
    if url.drivername == _SQLITE:
        url = _absolute(url)
        _refuse_others(url, (), f"SQLite takes only {PATIENCE}")
    else:
        _refuse_others(
            url, _libpq_options(), f"{PATIENCE} and those of libpq, as sslmode, are known"
        )
    patience = url.query.get(PATIENCE)
    return SQLAddress(
        url.difference_update_query([PATIENCE]),
        None if patience is None else _seconds(patience),
    )


def checked_patience(seconds: float) -> float:
    """Return for how long a store is waited for; raise `BadAddress` for what is no such time."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise BadAddress(f"{PATIENCE} is a number of seconds, such as 10")
    return seconds


def _refuse_others(url: URL, known: Collection[str], hint: str) -> None:
    unknown = sorted(set(url.query) - {PATIENCE, *known})
    if unknown:
        raise BadAddress(f"there is no option {', '.join(unknown)}: {hint}")


@cache
def _libpq_options() -> Collection[str]:
    pq = driver("psycopg.pq", "postgresql")
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _seconds(written: str | tuple[str, ...]) -> float:
    try:
        return checked_patience(float(written if isinstance(written, str) else "twice"))
    except ValueError:
        raise BadAddress(f"{PATIENCE} is a number of seconds, such as 10") from None


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without the cause, and without the text: either may hold the password.
        raise BadAddress(f"this is no address of an SQL database: use {_ACCEPTED}") from None
    if "@" in (url.host or ""):  # the rest of a password
        raise BadAddress("in the password of an SQL database's address, @ is written as %40")
    known = _DRIVERS.get(url.drivername.lower())
    if known is None:
        raise BadAddress(f"an SQL history has no driver {url.drivername}: use {_ACCEPTED}")
    return url.set(drivername=known)


def _absolute(url: URL) -> URL:
    """Return the address of a file whatever the current folder will be; none for memory."""
    if url.host or url.username:
        raise BadAddress(f"an SQLite address has three slashes or four: use {_ACCEPTED}")
    if url.database in (None, "", ":memory:"):
        return URL.create(url.drivername, query=url.query)
    return url.set(database=os.path.realpath(os.path.expanduser(str(url.database))))
