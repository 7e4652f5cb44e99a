"""Add what runs and processes remember of the model servers"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "upstream_rates",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("requests_at", sa.Float(53), nullable=False),
        sa.Column("requests_spare", sa.Float(53), nullable=False),
        sa.Column("tokens_at", sa.Float(53), nullable=False),
        sa.Column("tokens_spare", sa.Float(53), nullable=False),
        sa.Column("booked_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_upstream_rates")),
        sa.UniqueConstraint("server", name=op.f("uq_upstream_rates_server")),
    )
    op.create_table(
        "cached_answers",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("expires_at", WHOLE, nullable=False),
        sa.Column("deltas", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_cached_answers")),
        sa.UniqueConstraint("key", name=op.f("uq_cached_answers_key")),
    )
    with op.batch_alter_table("cached_answers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_cached_answers_expires_at"), ["expires_at"], unique=False
        )
    op.create_table(
        "upstream_containers",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("thread_id", sa.String(length=64), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("container_id", sa.Text(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("used_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["threads.id"],
            name=op.f("fk_upstream_containers_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_upstream_containers")),
        sa.UniqueConstraint("thread_id", name=op.f("uq_upstream_containers_thread_id")),
    )
    op.create_table(
        "model_reports",
        sa.Column("seq", WHOLE, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kept_at", WHOLE, nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_model_reports")),
        sa.UniqueConstraint("key", name=op.f("uq_model_reports_key")),
    )
    op.add_column("runs", sa.Column("options", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("runs", sa.Column("notices", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("runs", sa.Column("begun", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("messages", sa.Column("reasoning", sa.Text(), nullable=True))
    op.add_column("run_steps", sa.Column("upstream", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("run_steps", schema=None) as batch_op:
        batch_op.drop_column("upstream")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("reasoning")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        for column in ("begun", "notices", "options"):
            batch_op.drop_column(column)
    for table in ("model_reports", "upstream_containers", "cached_answers", "upstream_rates"):
        op.drop_table(table)
