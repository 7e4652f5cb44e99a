"""The accepted forms of a setting's value. Part of the floor: knows nothing of the layers above it.

Each function takes what was given (text, or what TOML made of it) and returns the value to use, or
raises `Refused` with the words for what it would have accepted.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import TypeGuard
from urllib.parse import urlsplit

BOOLEAN_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([\w-]*\w)?(\.[A-Za-z0-9_]([\w-]*\w)?)*", re.ASCII
)
OWN_KEY = re.compile(r"sa-[\w-]{20,}")  # a key made by this product
SQLITE_FORM = "sqlite:///path/to/file.db"
POSTGRES_FORM = "postgresql://user:password@host:5432/name"
HISTORY_FORM = (
    "redis://host:6379/0, rediss://host:6379/0, kafka://host:9092, "
    "postgresql://user:password@host:5432/name or sqlite:///path/to/file.db, or several of them "
    "with commas between them"
)
HISTORY_COMMA = re.compile(r",\s*(?=[A-Za-z][\w+]*:/)")  # not one between a Kafka's brokers
HISTORY_PORTS = {"redis": 6379, "kafka": 9092, "postgresql": 5432}
# Options that do not say which store it is, and those that nobody else shall read.
PRIVATE_OPTION = re.compile(r"patience=|[^=]*(pass|secret|token|credential|user)", re.IGNORECASE)
# What the same address is called elsewhere; the first is how it is passed on.
POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


class Refused(ValueError):
    """The value is not accepted; the text says what is."""


def text(value: object, accepted: str) -> str:
    """Text as it is; anything else that TOML knows is refused as `accepted` says."""
    if not isinstance(value, str):
        raise Refused(f"{accepted}, in quotes")
    return value


def api_key(value: object) -> str:
    """A key fit for an HTTP header."""
    return _key(value, 1, "printable ASCII characters without spaces or line breaks")


def own_api_key(value: object) -> str:
    """A key this server asks of others, so it must be hard to guess."""
    return _key(value, 16, "at least 16 printable ASCII characters without spaces or line breaks")


def _key(value: object, shortest: int, accepted: str) -> str:
    key = text(value, accepted)
    if len(key) < shortest or not re.fullmatch(r"[!-~]+", key):
        raise Refused(accepted)
    return key


def model_name(value: object) -> str:
    """One line of text: every model server names its models differently."""
    accepted = "a model's name, at most 256 printable characters"
    name = text(value, accepted).strip()
    if not name.isprintable() or len(name) > 256:
        raise Refused(accepted)
    return name


def assistant_id(value: object) -> str:
    """The id of an assistant."""
    accepted = "an assistant's id, which begins with asst_"
    identifier = text(value, accepted).strip()
    if not re.fullmatch(r"asst_[A-Za-z0-9_-]{1,100}", identifier):
        raise Refused(accepted)
    return identifier


def http_url(value: object) -> str:
    """The address of a model server's API."""
    accepted = "an address such as http://127.0.0.1:11434/v1, without user name, ? and #"
    url = text(value, accepted).strip()
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a broken IPv6 address or a port that is no number
        raise Refused(accepted) from None
    plain = parts.username is None and not re.search(r"[\s?#]", url) and url.isprintable()
    if parts.scheme not in ("http", "https") or not named or not plain:
        raise Refused(accepted)
    return url


def database_url(value: object) -> str:
    """A place for the data: an SQLite file, or a PostgreSQL database, named one way of several."""
    url = text(value, f"{SQLITE_FORM} or {POSTGRES_FORM}").strip()
    scheme, found, rest = url.partition("://")
    if found and scheme.lower() in POSTGRES_SCHEMES:
        return _postgres_url(rest)
    path = url.removeprefix("sqlite:///")
    if path == url or path in ("", ":memory:") or "?" in path or not path.isprintable():
        raise Refused(f"{SQLITE_FORM} or {POSTGRES_FORM}")
    return url


def _postgres_url(rest: str) -> str:
    accepted = f"{POSTGRES_FORM}; a password's @ : / ? # and % as %40 %3A %2F %3F %23 and %25"
    url = f"{POSTGRES_SCHEMES[0]}://{rest}"
    try:
        parts = urlsplit(url)
        plausible = parts.port != 0
    except ValueError:  # a broken IPv6 address, or what follows the : is no number
        raise Refused(accepted) from None
    # All of it but the host is read again by others, who must not come to other conclusions.
    user = parts.netloc.rpartition("@")[0]
    whole = "@" not in user and user.count(":") <= 1 and parts.path.count("/") == 1
    stray = re.search(r"[\s#]|%(?![0-9A-Fa-f]{2})", rest) or "@" in parts.path + parts.query
    if not (plausible and whole and parts.path[1:]) or stray or not url.isprintable():
        raise Refused(accepted)
    return url


def is_postgres(url: str | None) -> TypeGuard[str]:
    """Whether an accepted address of a database is one of PostgreSQL."""
    return url is not None and url.startswith(f"{POSTGRES_SCHEMES[0]}://")


def postgres_place(url: str) -> str:
    """Where an accepted PostgreSQL database is, for people to read: nothing secret is in it."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}"


def history_urls(value: object) -> tuple[str, ...]:
    """Addresses of stores that get copies, one after the other or as a list; each store once."""
    urls = HISTORY_COMMA.split(value.rstrip(", \n")) if isinstance(value, str) else value
    if not isinstance(urls, list):  # of TOML
        raise Refused(f"{HISTORY_FORM}, in quotes")
    accepted: dict[str, str] = {}
    for number, url in enumerate(urls, 1):
        plain = text(url, HISTORY_FORM).strip()
        try:
            place = history_place(plain)
        except (ValueError, KeyError):  # `Refused`, a broken IPv6 address, another scheme
            raise Refused(f"{HISTORY_FORM}; number {number} is none of these") from None
        if place in accepted:
            raise Refused(f"each store once; number {number} has been named before")
        accepted[place] = plain
    return tuple(accepted.values())


def history_kind(url: str) -> str:
    """What kind of store is at an address, in one word."""
    scheme = url.partition("://")[0].lower()
    return {"rediss": "redis", **dict.fromkeys(POSTGRES_SCHEMES, "postgresql")}.get(scheme, scheme)


def history_place(url: str) -> str:
    """Which store is at an address, in one way only and without anything secret."""
    kind, rest, parts = history_kind(url), url.partition("://")[2], urlsplit(url)
    public = [option for option in parts.query.split("&") if not PRIVATE_OPTION.match(option)]
    query = "?" + "&".join(sorted(public))
    if kind == "sqlite":
        file = rest.partition("?")[0]
        database_url(f"sqlite://{file}")
        return f"sqlite:///{os.path.abspath(file[1:])}{query}"
    host, port, path = parts.netloc.rpartition("@")[2].lower(), HISTORY_PORTS[kind], parts.path
    if kind == "postgresql":
        _postgres_url(rest)
        host = host or "localhost"  # or a socket, which the query names
    if kind == "redis" and path in ("", "/"):
        path = "/0"
    hosts = host.split(",") if kind == "kafka" else [host]
    together = ",".join(sorted(_with_port(one, port) for one in hosts))
    return f"{kind}://{together}{path.rstrip('/')}{query}"


def _with_port(host: str, port: int) -> str:
    parts = urlsplit(f"//{host}")
    if not parts.hostname or parts.port == 0 or not re.fullmatch(r"[\w.:\[\]-]+", host, re.ASCII):
        raise Refused("a host")
    return f"[{parts.hostname}]:{parts.port or port}"


def folder(value: object) -> Path:
    """A folder, made absolute so that it stays the same when the process changes its own."""
    accepted = "the path of a folder"
    path = text(value, accepted)
    if not path.isprintable():
        raise Refused(accepted)
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:  # ~somebody, who has no home on this machine
        raise Refused(f"{accepted}; no such user has a home folder here") from None


def host(value: object) -> str:
    """An address or a name to listen on."""
    accepted = "an IP address or a host name, such as 127.0.0.1 or 0.0.0.0"
    name = text(value, accepted).strip()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:  # a name, then
        looks_like_address = re.fullmatch(r"[\d.]+", name)
    if looks_like_address or not HOST_NAME.fullmatch(name):
        raise Refused(accepted)
    return name


def port(value: object) -> int:
    """A TCP port."""
    return whole_number(value, 1, 65_535)


def message_limit(value: object) -> int:
    """How many messages a thread may hold."""
    return whole_number(value, 1, 100_000)


def run_count(value: object) -> int:
    """How many runs may be at work, or wait, at a time."""
    return whole_number(value, 1, 1_000_000)


def run_seconds(value: object) -> int:
    """How long a run may take."""
    return whole_number(value, 60, 86_400)


def drain_seconds(value: object) -> int:
    """How long the end may be put off."""
    return whole_number(value, 0, 300)


def whole_number(value: object, lowest: int, highest: int) -> int:
    """A whole number within bounds, as text or as a TOML integer."""
    accepted = f"a whole number from {lowest} to {highest}"
    # `True` is an int to Python, but nobody means 1 by it.
    digits = "" if isinstance(value, bool | float) else str(value).strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", digits) or not lowest <= int(digits) <= highest:
        raise Refused(accepted)
    return int(digits)


def boolean(value: object) -> bool:
    """A yes or a no."""
    word = BOOLEAN_WORDS.get(str(value).strip().lower())
    if word is None:
        raise Refused("one of true, false, yes, no, on, off, 1, 0")
    return word
