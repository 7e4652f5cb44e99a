"""The tables of histories in an SQL database. They may stand beside those of others."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateTable

# Compared byte by byte, whatever language the database is in: quicker, and never "alike".
_NAME = Text().with_variant(Text(collation="C"), "postgresql")

TABLES = MetaData()

# Whoever writes to a session locks its row until the end of the transaction: that is what gives
# messages of many writers one order.
SESSIONS = Table(
    "history_sessions",
    TABLES,
    Column("id", _NAME, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

MESSAGES = Table(
    "history_messages",
    TABLES,
    Column("session_id", _NAME, nullable=False),
    Column("seq", BigInteger, nullable=False),  # ascending within a session; some may be missing
    Column("key", _NAME, nullable=False),
    Column("created_at", Double, nullable=False),  # seconds since 1970
    # Before the body, which SQLite would have to walk through to get at what comes behind it.
    Column("text", _NAME, nullable=False),
    Column("body", Text),  # NULL once it is removed: the key is remembered, so that it stays away
    PrimaryKeyConstraint("session_id", "seq"),
    UniqueConstraint("session_id", "key"),
)


def create_tables(connection: Connection) -> None:
    """Create the tables that are missing; of several who do so, one at a time may."""
    for table in TABLES.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
