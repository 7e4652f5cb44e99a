"""The schema and its migrations."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Connection

from streamlit_assistant.store import Store
from streamlit_assistant.store.file_tables import is_ours
from streamlit_assistant.store.migrate import migration_config
from streamlit_assistant.store.migrations import HEAD
from streamlit_assistant.store.schema import metadata


def differences(connection: Connection) -> list[Any]:
    options = {"include_name": lambda name, kind, _parents: is_ours(name, kind)}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    config = migration_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

        assert differences(connection) == []
    engine.dispose()


def test_the_code_expects_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migration_config()).get_current_head() == HEAD


def test_every_migration_can_be_undone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    config = migration_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        command.downgrade(config, "base")

        assert set(inspect(connection).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    engine.dispose()


async def test_a_new_database_needs_no_migration(empty_database: Path) -> None:
    engine = create_engine(f"sqlite:///{empty_database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)

        assert context.get_current_revision() == HEAD
        assert differences(connection) == []
    engine.dispose()


async def test_an_old_database_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    store = Store(f"sqlite+aiosqlite:///{path}", lambda: 0)

    await store.open()
    await store.close()

    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()
