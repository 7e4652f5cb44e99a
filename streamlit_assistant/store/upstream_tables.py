"""The tables of what all processes know about the model servers."""

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, String, Table, Text

from streamlit_assistant.store.tables import Whole, metadata, seq_column

# One row a model server: how far ahead its limits are booked. Times are the database's.
upstream_rates = Table(
    "upstream_rates",
    metadata,
    seq_column(),
    Column("server", Text, nullable=False, unique=True),
    # A limit is used up until `at`; `spare` of it may go before, since it was left unused lately.
    Column("requests_at", Float(53), nullable=False),
    Column("requests_spare", Float(53), nullable=False),
    Column("tokens_at", Float(53), nullable=False),
    Column("tokens_spare", Float(53), nullable=False),
    Column("booked_at", Float(53), nullable=False),
)

# Whole answers, for whoever asks the very same again.
cached_answers = Table(
    "cached_answers",
    metadata,
    seq_column(),
    Column("key", String(64), nullable=False, unique=True),  # a hash of all that was asked
    Column("created_at", Whole, nullable=False),
    Column("expires_at", Whole, nullable=False),
    Column("deltas", JSON, nullable=False),
    Index(None, "expires_at"),
)

# Where a model server executes code for a thread, and which of the thread's files are there.
upstream_containers = Table(
    "upstream_containers",
    metadata,
    seq_column(),
    Column(
        "thread_id",
        String(64),
        ForeignKey("threads.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    Column("server", Text, nullable=False),
    Column("container_id", Text, nullable=False),
    Column("files", JSON, nullable=False),
    Column("used_at", Whole, nullable=False),
)

# What the last test of each model has shown.
model_reports = Table(
    "model_reports",
    metadata,
    seq_column(),
    Column("key", String(64), nullable=False, unique=True),  # a hash of server and model
    Column("kept_at", Whole, nullable=False),
    Column("report", JSON, nullable=False),
)
