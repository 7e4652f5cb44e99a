"""The tables of the mirror: which stores get a copy of every message, and what each still lacks."""

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint

from streamlit_assistant.store.tables import Whole, metadata, seq_column

# One row a store. That it stands here is why copies for it are noted, by whichever process.
mirrors = Table(
    "mirrors",
    metadata,
    seq_column(),
    Column("target", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("registered_at", Whole, nullable=False),
    # Threads up to `threads_until` are copied as they are, in their order; the next one is behind
    # `copied_until`. What changes meanwhile waits in the outbox.
    Column("threads_until", Whole, nullable=False),
    Column("copied_until", Whole, nullable=False, server_default="0"),
    # The process that delivers. It is free once that process is no more.
    Column("lease_owner", String(64)),
    Column("delivered", Whole, nullable=False, server_default="0"),
    Column("refused", Whole, nullable=False, server_default="0"),
    Column("away_since", Whole),
    Column("last_error", Text),
    UniqueConstraint("target"),
    sqlite_autoincrement=True,
)

# One row a change and store, gone once it is delivered. It outlives the thread that it is about.
mirror_outbox = Table(
    "mirror_outbox",
    metadata,
    # Never used again: who was thought dead must not remove what came later.
    seq_column(),
    Column("target", String(64), nullable=False),
    Column("thread_id", String(64), nullable=False),
    Column("message_id", String(64)),
    Column("kind", String(16), nullable=False),
    Column("written_at", Whole, nullable=False),
    Index(None, "target", "seq"),
    sqlite_autoincrement=True,
)
