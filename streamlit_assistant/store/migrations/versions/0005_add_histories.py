"""Add what LangChain's messages carry beyond role and content, and what is still to be mirrored"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

IS_TEMPORARY = sa.text('"temporary"')
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("messages", sa.Column("langchain", sa.JSON(none_as_null=True), nullable=True))
    temporary = sa.Boolean(create_constraint=False)
    op.add_column(
        "threads",
        sa.Column("temporary", temporary, server_default=sa.false(), nullable=False),
    )
    op.create_index(
        "ix_threads_temporary",
        "threads",
        ["last_active_at"],
        unique=False,
        sqlite_where=IS_TEMPORARY,
        postgresql_where=IS_TEMPORARY,
    )
    op.add_column("messages", sa.Column("langchain_id", sa.String(length=64), nullable=True))
    op.create_index(
        "uq_messages_langchain_id",
        "messages",
        ["thread_id", "langchain_id"],
        unique=True,
        sqlite_where=sa.text("langchain_id IS NOT NULL"),
        postgresql_where=sa.text("langchain_id IS NOT NULL"),
    )
    op.create_table(
        "mirrors",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("registered_at", WHOLE, nullable=False),
        sa.Column("threads_until", WHOLE, nullable=False),
        sa.Column("copied_until", WHOLE, server_default="0", nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("delivered", WHOLE, server_default="0", nullable=False),
        sa.Column("refused", WHOLE, server_default="0", nullable=False),
        sa.Column("away_since", WHOLE, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_mirrors")),
        sa.UniqueConstraint("target", name=op.f("uq_mirrors_target")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mirror_outbox",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("thread_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("written_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_mirror_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_mirror_outbox_target_seq"), "mirror_outbox", ["target", "seq"], unique=False
    )


def downgrade() -> None:
    op.drop_table("mirror_outbox")
    op.drop_table("mirrors")
    op.drop_index("ix_threads_temporary", table_name="threads")
    with op.batch_alter_table("threads", schema=None) as batch_op:
        batch_op.drop_column("temporary")
    op.drop_index("uq_messages_langchain_id", table_name="messages")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("langchain_id")
        batch_op.drop_column("langchain")
