"""Add processes and their leases, requests that may come twice, and bytes of files"""

import sqlalchemy as sa
from alembic import op

from streamlit_assistant.store.file_tables import CREATE_POSTGRES_TERMS

revision = "0003"
down_revision = "0002"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "executors",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", WHOLE, nullable=False),
        sa.Column("pid_started", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_executors")),
        sa.UniqueConstraint("name", name=op.f("uq_executors_name")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=True),
        sa.Column("made", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("status", WHOLE, nullable=True),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("owner", "key", name=op.f("uq_idempotency_keys_owner_key")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_idempotency_keys_created_at"), ["created_at"], unique=False
        )
    op.create_table(
        "blobs",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("bytes", WHOLE, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_blobs")),
        sa.UniqueConstraint("sha256", name=op.f("uq_blobs_sha256")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blob_pieces",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("blob_seq", WHOLE, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["blob_seq"], ["blobs.seq"], name=op.f("fk_blob_pieces_blob_seq"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_blob_pieces")),
        sa.UniqueConstraint("blob_seq", "position", name=op.f("uq_blob_pieces_blob_seq_position")),
    )
    op.add_column("runs", sa.Column("takeovers", WHOLE, server_default="0", nullable=False))
    op.add_column(
        "vector_store_files", sa.Column("lease_owner", sa.String(length=64), nullable=True)
    )
    op.add_column(
        "vector_store_files", sa.Column("revision", WHOLE, server_default="0", nullable=False)
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in CREATE_POSTGRES_TERMS:
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("chunk_terms")
    with op.batch_alter_table("vector_store_files", schema=None) as batch_op:
        batch_op.drop_column("revision")
        batch_op.drop_column("lease_owner")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("takeovers")
    for table in ("blob_pieces", "blobs", "idempotency_keys", "executors"):
        op.drop_table(table)
