"""The tables of files, uploads, vector stores and the chunks that are searched."""

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.schema import ExecutableDDLElement

from streamlit_assistant.store.tables import Whole, id_column, metadata, seq_column

# To the letter the condition of the partial indexes: only a query that repeats it uses them.
IS_BEING_INDEXED = text("status = 'in_progress'")
MAY_EXPIRE = text("expires_at IS NOT NULL")


files = Table(
    "files",
    metadata,
    seq_column(),
    id_column(),
    Column("owner", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("expires_at", Whole),
    Column("filename", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index(None, "owner", "seq"),
    Index(None, "sha256"),
    Index("ix_files_expiring", "expires_at", sqlite_where=MAY_EXPIRE, postgresql_where=MAY_EXPIRE),
    sqlite_autoincrement=True,
)

uploads = Table(
    "uploads",
    metadata,
    seq_column(),
    id_column(),
    Column("owner", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("expires_at", Whole, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("file_id", String(64)),
    Column("file_expires_after", Whole),
    Index(None, "expires_at"),
    sqlite_autoincrement=True,
)

upload_parts = Table(
    "upload_parts",
    metadata,
    seq_column(),
    id_column(),
    Column("upload_id", String(64), ForeignKey("uploads.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index(None, "upload_id", "seq"),
    Index(None, "sha256"),
    sqlite_autoincrement=True,
)

vector_stores = Table(
    "vector_stores",
    metadata,
    seq_column(),
    id_column(),
    Column("owner", String(64), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("last_active_at", Whole, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("metadata", JSON, nullable=False),
    Column("expires_after", JSON(none_as_null=True)),
    Column("expires_at", Whole),
    # Kept with every change of a file, so that reading a store never counts its files.
    Column("usage_bytes", BigInteger, nullable=False, server_default="0"),
    Column("in_progress", Whole, nullable=False, server_default="0"),
    Column("completed", Whole, nullable=False, server_default="0"),
    Column("failed", Whole, nullable=False, server_default="0"),
    Column("cancelled", Whole, nullable=False, server_default="0"),
    Index(None, "owner", "seq"),
    Index(
        "ix_vector_stores_expiring",
        "expires_at",
        sqlite_where=MAY_EXPIRE,
        postgresql_where=MAY_EXPIRE,
    ),
    sqlite_autoincrement=True,
)

vector_store_files = Table(
    "vector_store_files",
    metadata,
    seq_column(),
    Column("id", String(64), ForeignKey("files.id", ondelete="CASCADE"), nullable=False),
    Column(
        "vector_store_id",
        String(64),
        ForeignKey("vector_stores.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("created_at", Whole, nullable=False),
    Column("status", String(16), nullable=False),
    Column("usage_bytes", BigInteger, nullable=False),
    Column("last_error", JSON(none_as_null=True)),
    Column("chunking_strategy", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    # Which process indexes it, a row of `executors`.
    Column("lease_owner", String(64)),
    # How often it has been indexed: what others keep of its chunks is of one of the times.
    Column("revision", Whole, nullable=False, server_default="0"),
    UniqueConstraint("id", "vector_store_id"),
    Index(None, "vector_store_id", "seq"),
    Index(
        "ix_vector_store_files_waiting",
        "vector_store_id",
        "seq",
        sqlite_where=IS_BEING_INDEXED,
        postgresql_where=IS_BEING_INDEXED,
    ),
    sqlite_autoincrement=True,
)

file_batches = Table(
    "file_batches",
    metadata,
    seq_column(),
    id_column(),
    Column(
        "vector_store_id",
        String(64),
        ForeignKey("vector_stores.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created_at", Whole, nullable=False),
    Column("is_cancelled", Boolean(create_constraint=False), nullable=False),
    sqlite_autoincrement=True,
)

# Which files a batch put into its store: a file may have come in several batches.
file_batch_members = Table(
    "file_batch_members",
    metadata,
    seq_column(),
    Column(
        "batch_id", String(64), ForeignKey("file_batches.id", ondelete="CASCADE"), nullable=False
    ),
    Column(
        "file_seq",
        ForeignKey("vector_store_files.seq", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    UniqueConstraint("batch_id", "file_seq"),
)

chunks = Table(
    "chunks",
    metadata,
    seq_column(),
    Column(
        "file_seq",
        ForeignKey("vector_store_files.seq", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("position", Whole, nullable=False),
    Column("start", Whole, nullable=False),  # in the document's text, in characters
    Column("text", Text, nullable=False),
    # Little-endian float32, of length 1; of the model named beside it.
    Column("embedding", LargeBinary),
    Column("embedding_model", Text),
    Index(None, "file_seq", "position"),
    sqlite_autoincrement=True,
)

# SQLite's full-text index over the chunks: `store` holds `s` and the vector store's `seq`, `terms`
# what the chunk is found under, cut into words by us: SQLite's own tokenizer knows no Chinese.
# To it, whatever is beyond ASCII belongs to a word, and so do the signs within `v1.2` and `C++`.
CREATE_CHUNK_TERMS = (
    "CREATE VIRTUAL TABLE chunk_terms USING fts5("
    "store, terms, tokenize = \"ascii tokenchars '._@+#-'\")",
    "CREATE VIRTUAL TABLE chunk_vocabulary USING fts5vocab(chunk_terms, 'row')",
    "CREATE TRIGGER chunks_forgotten AFTER DELETE ON chunks BEGIN "
    "DELETE FROM chunk_terms WHERE rowid = old.seq; END",
)
DROP_CHUNK_TERMS = (
    "DROP TRIGGER chunks_forgotten",
    "DROP TABLE chunk_vocabulary",
    "DROP TABLE chunk_terms",
)
# PostgreSQL's: the keys of each chunk are in `words`, compared as bytes. Rows are narrow, for many
# are read to find a few: the long columns lie elsewhere. The index takes in new rows at once: a
# list of those it lacks would slow down every search.
CREATE_POSTGRES_TERMS = (
    "CREATE TABLE chunk_terms ("
    "seq BIGINT PRIMARY KEY REFERENCES chunks ON DELETE CASCADE, "
    "store_seq BIGINT NOT NULL, file_seq BIGINT NOT NULL, length INTEGER NOT NULL, "
    'terms TEXT NOT NULL, words TEXT[] COLLATE "C" NOT NULL) WITH (toast_tuple_target = 128)',
    "CREATE INDEX ix_chunk_terms_words ON chunk_terms USING gin (words) WITH (fastupdate = off)",
)
for dialect, statements in (("sqlite", CREATE_CHUNK_TERMS), ("postgresql", CREATE_POSTGRES_TERMS)):
    for statement in statements:
        made: ExecutableDDLElement = DDL(statement)  # type: ignore[no-untyped-call]
        event.listen(chunks, "after_create", made.execute_if(dialect=dialect))


def is_ours(name: str | None, kind: str) -> bool:
    """Whether a table of the database is described here; the full-text index makes its own."""
    return kind != "table" or not str(name).startswith(("chunk_terms", "chunk_vocabulary"))


# The bytes of files where several machines share the database. A blob without a hash is a draft.
blobs = Table(
    "blobs",
    metadata,
    seq_column(),
    Column("sha256", String(64), unique=True),
    Column("bytes", Whole, nullable=False),
    Column("created_at", Whole, nullable=False),
    sqlite_autoincrement=True,
)

blob_pieces = Table(
    "blob_pieces",
    metadata,
    seq_column(),
    Column("blob_seq", Whole, ForeignKey("blobs.seq", ondelete="CASCADE"), nullable=False),
    Column("position", Whole, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("blob_seq", "position"),
)
# Most documents are compressed already; trying to compress text makes writing it 3 times as slow.
as_it_is: ExecutableDDLElement = DDL(  # type: ignore[no-untyped-call]
    "ALTER TABLE blob_pieces ALTER COLUMN data SET STORAGE EXTERNAL"
)
event.listen(blob_pieces, "after_create", as_it_is.execute_if(dialect="postgresql"))
