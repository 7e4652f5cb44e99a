"""A site's database filled to the last column, and looked at row by row."""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Float, Table, create_engine, insert, text

from streamlit_assistant.archive.command import ArchiveCommand
from streamlit_assistant.json_text import to_json
from streamlit_assistant.settings import Settings
from streamlit_assistant.store.schema import metadata
from tests.conftest import FakeClock

OLD = 1_600_000_000  # seconds; long before the clock of the tests
DAY = 86_400
AGE = 90 * DAY


@dataclass
class Said:
    """What the command has printed, and the code it ended with."""

    code: int
    out: str
    complaints: str


@dataclass
class ArchivedSite:
    """A site and the folder its old threads go to."""

    settings: Settings
    place: str
    clock: FakeClock = field(default_factory=FakeClock)
    environ: dict[str, str] = field(default_factory=dict)

    async def run(self, **given: Any) -> Said:
        """`start archive` with these flags, in this process."""
        out, complaints = io.StringIO(), io.StringIO()
        command = ArchiveCommand(self.settings, self.environ, out, complaints, self.clock)
        code = await command.run({"dry_run": False, "remove": False, "list": False, **given})
        return Said(code, out.getvalue(), complaints.getvalue())

    async def move(self, **given: Any) -> Said:
        """Move out what has been left alone for 90 days."""
        return await self.run(older_than=AGE, to=self.place, **given)

    async def restore(self, *thread_ids: str, **given: Any) -> Said:
        """Bring threads back."""
        return await self.run(restore=list(thread_ids), **{"from": self.place}, **given)

    async def listed(self) -> Said:
        """Say what the archive holds."""
        return await self.run(list=True, **{"from": self.place})

    @property
    def url(self) -> str:
        """The database's address, for plain connections."""
        if self.settings.database_url is None:
            return f"sqlite:///{self.settings.data_dir / 'assistant.db'}"
        return self.settings.database_url.replace("postgresql://", "postgresql+psycopg://")

    @property
    def folder(self) -> Path:
        """The archive, where it is a folder."""
        return Path(self.place)

    def object(self, thread_id: str) -> Path:
        """The file of a thread in the archive."""
        return self.folder / "threads" / f"{thread_id}.ndjson.gz"

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A transaction of somebody who goes round the store."""
        engine = create_engine(self.url, json_serializer=to_json)
        try:
            with engine.begin() as connection:
                if engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA busy_timeout = 5000")
                    connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                yield connection
        finally:
            engine.dispose()

    def execute(self, statement: str, **values: Any) -> list[Any]:
        """Execute a statement and return its rows, if it gives any."""
        with self.connected() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    def threads(self) -> set[str]:
        """The threads that are in the database."""
        return {row.id for row in self.execute("SELECT id FROM threads")}

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, as the driver gives it."""
        with self.connected() as connection:
            return {
                table.name: [
                    tuple(json.dumps(v) if isinstance(v, dict | list) else v for v in row)
                    for row in connection.exec_driver_sql(
                        f"SELECT {', '.join(table.c.keys())} FROM {table.name} ORDER BY seq"
                    )
                ]
                for table in metadata.sorted_tables
            }

    def fill(self, name: str, *, messages: int = 3, runs: int = 2, **thread: Any) -> str:
        """Store an old thread of which every column of every row holds something; return its id."""
        thread_id = f"thread_{name}"
        with self.connected() as connection:
            said = [
                filled("messages", i, id=f"msg_{name}{i}", thread_id=thread_id, run_id=None)
                | {"role": "user", "status": "completed", "langchain_id": f"lc{i}"}
                for i in range(messages)
            ]
            last = {"last_active_at": OLD, "message_count": messages, "last_message_seq": 0}
            row = filled("threads", 0, id=thread_id, owner="owner", temporary=False, **last)
            add(connection, "threads", {**row, **thread})
            for message in said:
                add(connection, "messages", message)
            connection.execute(
                text(
                    "UPDATE threads SET last_message_seq = coalesce((SELECT max(seq)"
                    " FROM messages WHERE thread_id = :id), 0) WHERE id = :id"
                ),
                {"id": thread_id},
            )
            for i in range(runs):
                run_id = f"run_{name}{i}"
                done = {"thread_id": thread_id, "status": "completed", "created_at": OLD}
                add(connection, "runs", filled("runs", i, id=run_id, **done))
                for j in range(2):
                    step = {"id": f"step_{name}{i}{j}", "run_id": run_id, "thread_id": thread_id}
                    add(connection, "run_steps", filled("run_steps", j, **step))
        return thread_id


def filled(table: str, number: int, **given: Any) -> dict[str, Any]:
    """A row without an empty column; those of other rows hold something else."""
    described = metadata.tables[table]
    row = {c.name: value_for(c, number) for c in described.c if c.name != "seq"}
    return row | given


def value_for(column: Column[Any], number: int) -> Any:
    """Something that a column may hold."""
    if isinstance(column.type, JSON):
        return {"值": [f"{column.name} {number} 🙂", 0.1, None, True, 2**53 + 1, "\u2028\\n\n"]}
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, Float):
        return 0.1 + number
    if column.type.python_type is int:
        return OLD + number
    longest = getattr(column.type, "length", None) or 1000
    return f"{column.name} {number} 你好🙂\r\n\t\x1b"[:longest]


def add(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    """Store one row."""
    described: Table = metadata.tables[table]
    connection.execute(insert(described), dict(row))
