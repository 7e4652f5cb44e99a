"""The tables. Every object has a monotonic `seq`, because ids are random and seconds are coarse."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# 64 bits everywhere. SQLite counts rows up only where the type is called INTEGER, which has them.
Whole = BigInteger().with_variant(Integer, "sqlite")

ACTIVE_STATUSES = ("queued", "in_progress", "requires_action", "cancelling")
# To the letter the condition of the partial indexes: only a query that repeats it uses them.
IS_ACTIVE = text(f"status IN {ACTIVE_STATUSES}")
IS_TEMPORARY = text('"temporary"')


def seq_column() -> Column[int]:
    """The monotonic key of every table."""
    return Column("seq", Whole, primary_key=True, autoincrement=True)


def id_column() -> Column[str]:
    """The random id under which the protocol knows an object."""
    return Column("id", String(64), nullable=False, unique=True)


def _belongs_to(table: str, index: bool = False) -> Column[str]:
    return Column(
        f"{table}_id",
        String(64),
        ForeignKey(f"{table}s.id", ondelete="CASCADE"),
        nullable=False,
        index=index,
    )


api_keys = Table(
    "api_keys",
    metadata,
    seq_column(),
    Column("owner", String(64), nullable=False),
    Column("label", String(256), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", Whole, nullable=False),
)

assistants = Table(
    "assistants",
    metadata,
    seq_column(),
    id_column(),
    Column("owner", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("model", Text, nullable=False),
    Column("name", Text),
    Column("description", Text),
    Column("instructions", Text),
    Column("tools", JSON, nullable=False),
    Column("tool_resources", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("temperature", Float),
    Column("top_p", Float),
    Column("response_format", JSON, nullable=False),
    Column("reasoning_effort", String(16)),
    Index(None, "owner", "seq"),
    sqlite_autoincrement=True,
)

threads = Table(
    "threads",
    metadata,
    seq_column(),
    id_column(),
    Column("owner", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("tool_resources", JSON, nullable=False),
    Column("title", Text),
    Column("last_active_at", Whole, nullable=False),
    # The `seq` of the newest message: orders threads by activity, finer than seconds.
    Column("last_message_seq", Whole, nullable=False, server_default="0"),
    Column("message_count", Whole, nullable=False, server_default="0"),
    # In no list, and gone by itself once it has been left.
    Column("temporary", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Index(None, "owner", "last_message_seq", "seq"),
    Index(
        "ix_threads_temporary",
        "last_active_at",
        sqlite_where=IS_TEMPORARY,
        postgresql_where=IS_TEMPORARY,
    ),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    seq_column(),
    id_column(),
    _belongs_to("thread"),
    Column("created_at", Whole, nullable=False),
    Column("role", String(16), nullable=False),
    Column("content", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("incomplete_reason", String(32)),
    Column("completed_at", Whole),
    Column("incomplete_at", Whole),
    Column("assistant_id", String(64)),
    Column("run_id", String(64)),
    Column("attachments", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    # What the model thought before it answered, where it says so.
    Column("reasoning", Text),
    # A message as LangChain had it, where role and content do not say all of it.
    Column("langchain", JSON(none_as_null=True)),
    # Its id there, under which a thread takes a message only once.
    Column("langchain_id", String(64)),
    Index(None, "thread_id", "seq"),
    Index(None, "run_id"),
    Index(
        "uq_messages_langchain_id",
        "thread_id",
        "langchain_id",
        unique=True,
        sqlite_where=text("langchain_id IS NOT NULL"),
        postgresql_where=text("langchain_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    seq_column(),
    id_column(),
    Column("owner", String(64), nullable=False),
    _belongs_to("thread"),
    Column("assistant_id", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("model", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("instructions", Text, nullable=False),
    Column("tools", JSON, nullable=False),
    Column("tool_resources", JSON, nullable=False, server_default="{}"),
    # Whether run steps in this run's events carry the text that file search found.
    Column(
        "includes_results",
        Boolean(create_constraint=False),
        nullable=False,
        server_default=false(),
    ),
    Column("metadata", JSON, nullable=False),
    Column("temperature", Float),
    Column("top_p", Float),
    Column("max_prompt_tokens", Whole),
    Column("max_completion_tokens", Whole),
    Column("truncation_strategy", JSON, nullable=False),
    Column("tool_choice", JSON, nullable=False),
    Column("parallel_tool_calls", Boolean(create_constraint=False), nullable=False),
    Column("response_format", JSON, nullable=False),
    Column("reasoning_effort", String(16)),
    Column("required_action", JSON(none_as_null=True)),
    Column("last_error", JSON(none_as_null=True)),
    Column("incomplete_details", JSON(none_as_null=True)),
    Column("usage", JSON(none_as_null=True)),
    Column("expires_at", Whole),
    Column("started_at", Whole),
    Column("cancelled_at", Whole),
    Column("failed_at", Whole),
    Column("completed_at", Whole),
    Column("lease_owner", String(64)),
    Column("attempt", Whole, nullable=False),
    # How often a process died over it.
    Column("takeovers", Whole, nullable=False, server_default="0"),
    Column("last_event", Whole, nullable=False),
    # What was asked for beyond the protocol, and what is to be said of how the answer came about.
    Column("options", JSON, nullable=False, server_default="{}"),
    Column("notices", JSON, nullable=False, server_default="[]"),
    # The answer that a model server goes on with even when nobody listens.
    Column("begun", JSON(none_as_null=True)),
    Index(None, "thread_id", "seq"),
    # The executor looks for work among the few active runs, never among all.
    Index("ix_runs_active", "status", "seq", sqlite_where=IS_ACTIVE, postgresql_where=IS_ACTIVE),
    # The thread lock itself: the database refuses a second active run.
    Index(
        "uq_runs_active_thread",
        "thread_id",
        unique=True,
        sqlite_where=IS_ACTIVE,
        postgresql_where=IS_ACTIVE,
    ),
    sqlite_autoincrement=True,
)

run_steps = Table(
    "run_steps",
    metadata,
    seq_column(),
    id_column(),
    _belongs_to("run"),
    Column("thread_id", String(64), nullable=False),
    Column("assistant_id", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("type", String(32), nullable=False),
    Column("step_details", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("last_error", JSON(none_as_null=True)),
    Column("expired_at", Whole),
    Column("cancelled_at", Whole),
    Column("failed_at", Whole),
    Column("completed_at", Whole),
    Column("usage", JSON(none_as_null=True)),
    Column("metadata", JSON, nullable=False),
    # What the model server that made the calls wants to hear of them again.
    Column("upstream", JSON(none_as_null=True)),
    Index(None, "run_id", "seq"),
    sqlite_autoincrement=True,
)

# One row holds the events of one flush: `events` is a JSON list of [seq, name, data].
run_events = Table(
    "run_events",
    metadata,
    seq_column(),
    _belongs_to("run"),
    Column("first_seq", Whole, nullable=False),
    Column("last_seq", Whole, nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("events", JSON, nullable=False),
    UniqueConstraint("run_id", "first_seq"),
    Index(None, "created_at"),
)
