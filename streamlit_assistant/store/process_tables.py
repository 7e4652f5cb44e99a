"""The tables of the processes at work, and of the requests that may come twice."""

from sqlalchemy import (
    JSON,
    Column,
    Float,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from streamlit_assistant.store.tables import Whole, metadata, seq_column

# One row a process. What it is working on is somebody else's once the row's lease is over.
executors = Table(
    "executors",
    metadata,
    seq_column(),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    # Where it runs and as what: a neighbour on the same host sees at once that it is gone.
    Column("host", Text, nullable=False),
    Column("pid", Whole, nullable=False),
    Column("pid_started", Text, nullable=False),
    Column("lease_until", Float(53), nullable=False),  # by the database's clock
)

# What was answered to requests that carry an `Idempotency-Key`.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    seq_column(),
    Column("owner", String(64), nullable=False),
    Column("key", String(256), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("claim", String(32), nullable=False),  # another one with each attempt at the request
    Column("lease_owner", String(64)),  # the process that attempts it, until there is an answer
    # Hashes of what was asked: method and address, and the body once all of it has been read.
    Column("target", String(64), nullable=False),
    Column("body_sha256", String(64)),
    # Ids made by it, written in the same transaction as what they name.
    Column("made", JSON(none_as_null=True)),
    Column("status", Whole),
    Column("headers", JSON(none_as_null=True)),
    Column("answer", LargeBinary),
    UniqueConstraint("owner", "key"),
    Index(None, "created_at"),
)
