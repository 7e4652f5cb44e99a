"""Where a Redis is, and what a history there is kept like: taken from URLs and arguments."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from streamlit_assistant.history.entries import stored_name
from streamlit_assistant.history.history_errors import BadAddress

HOME = "redis://localhost:6379/0"
PATIENCE = 10.0  # seconds
_SCHEMES = ("redis", "rediss")
_PORT = 6379

# What the driver takes from the query of a URL. Not user and password: no text of ours shows what
# stands before the host, and what stands in a query ends up in everybody's logs.
_OF_THE_DRIVER = frozenset(
    {
        *("db", "protocol", "client_name", "max_connections", "health_check_interval"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_read_size"),
        *("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_cert_reqs", "ssl_check_hostname"),
        *("ssl_certfile", "ssl_keyfile", "ssl_ciphers", "ssl_min_version", "timeout"),
    }
)
_LIKE = (
    "the address of a Redis is like redis://user:password@host:6379/0;"
    " @, :, /, ? and # of a password are percent-encoded"
)
_ESCAPED = {ord(letter): f"%{ord(letter):X}" for letter in "%{}"}
_NUMBERS = frozenset({"ttl", "patience"})
_OURS = frozenset({"key_prefix", "index_name", *_NUMBERS})


@dataclass(frozen=True)
class RedisOptions:
    """How a history is kept; raises `BadAddress` for what cannot be."""

    key_prefix: str = "chat:"
    ttl: float | None = None  # seconds after the last write at which a session vanishes
    index_name: str | None = None
    patience: float = PATIENCE  # seconds

    def __post_init__(self) -> None:
        if any(letter in self.key_prefix for letter in "{}\0"):
            # What stands in braces tells a cluster where a key belongs; there the session stands.
            raise BadAddress("key_prefix must be without braces and NUL")
        if self.ttl is not None and not (0.001 <= self.ttl < math.inf):
            raise BadAddress("ttl must be a number of seconds above 0")
        if not (0 <= self.patience < math.inf):
            raise BadAddress("patience must be a number of seconds, 0 or more")

    @property
    def lifetime(self) -> int:
        """Milliseconds after the last write at which a session vanishes; 0 for never."""
        return round(self.ttl * 1000) if self.ttl else 0

    @property
    def index(self) -> str:
        """The name of the search index; other prefixes have others."""
        return self.index_name or f"{self.key_prefix}messages"

    @property
    def indexed_prefix(self) -> str:
        """What all keys that a search index is to know begin with, and no others."""
        return f"{self.key_prefix}~"


@dataclass(frozen=True)
class RedisAddress:
    """A database of a Redis."""

    url: str = field(repr=False)  # for the driver; it may hold a password
    where: str  # for people
    database: int
    options: Mapping[str, Any] = field(compare=False)  # ours, as far as the URL names them

    @classmethod
    def of(cls, url: str) -> Self:
        """Return what a URL says; raise `BadAddress` if it is wrong."""
        parts, port = _split(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := sorted(query.keys() - _OF_THE_DRIVER - _OURS):
            raise BadAddress(
                f"unknown option {', '.join(unknown)} in the address of a Redis;"
                f" known are {', '.join(sorted(_OURS | _OF_THE_DRIVER))}"
            )
        theirs = {name: query[name] for name in query.keys() - _OURS}
        options: dict[str, Any] = {
            name: _number(name, query[name]) for name in query.keys() & _NUMBERS
        }
        options |= {name: query[name] for name in query.keys() & (_OURS - _NUMBERS)}
        database = _database(query.get("db", parts.path.strip("/")))
        where = f"Redis at {parts.hostname or 'localhost'}:{port}/{database}"
        bare = parts._replace(query=urlencode(sorted(theirs.items())), fragment="").geturl()
        return cls(bare, where, database, options)

    def over(self, options: RedisOptions) -> RedisOptions:
        """Return options in which the URL's own count more."""
        return replace(options, **self.options)


@dataclass(frozen=True)
class SessionKeys:
    """The names under which Redis keeps a session; a cluster keeps all of them in one place."""

    messages: str  # list: the bodies, "" where one was removed
    recent: str  # string: the block that is being filled
    blocks: str  # list: full blocks, oldest first
    known: str  # hash: of each key its message's place; and what else is to be known
    described: str  # how the hashes begin that describe blocks to the query engine

    @classmethod
    def of(cls, session_id: str, options: RedisOptions) -> Self:
        """Return the names of a session."""
        # Empty braces would mean nothing to a cluster; "%" alone is nobody else's.
        name = f"{{{stored_name(session_id).translate(_ESCAPED) or '%'}}}:"
        first = f"{options.key_prefix}{name}"
        described = f"{options.indexed_prefix}{name}"
        return cls(f"{first}m", f"{first}t", f"{first}x", f"{first}i", described)

    @property
    def all(self) -> tuple[str, str, str, str]:
        """The names in the order in which the scripts take them."""
        return self.messages, self.recent, self.blocks, self.known


def _split(url: str) -> tuple[SplitResult, int]:
    # The texts of these errors show parts of the URL, and nobody can tell where the password is.
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise BadAddress(_LIKE) from None
    if parts.fragment or ("@" in parts.query and "@" not in parts.netloc):
        raise BadAddress(_LIKE)  # what follows "#" or "?" is the rest of a password
    if parts.scheme not in _SCHEMES:
        raise BadAddress(f"the address of a Redis begins with {', '.join(_SCHEMES)}")
    return parts, port


def _database(text: str) -> int:
    if not (text or "0").isdecimal():
        raise BadAddress("the path in the address of a Redis is the number of a database, as in /0")
    return int(text or "0")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadAddress(f"{name} must be a number of seconds") from None
