"""Whole threads as they come back into the database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Dialect,
    Insert,
    TypeDecorator,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.json_text import to_json
from streamlit_assistant.records import MessageStatus
from streamlit_assistant.store.archived_rows import TABLES, StoredRow
from streamlit_assistant.store.archived_threads import DatabaseTrouble, plain_failures
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.mirror_changes import COLUMNS, MESSAGE
from streamlit_assistant.store.mirror_tables import mirror_outbox, mirrors
from streamlit_assistant.store.tables import Whole, messages, threads


@dataclass(frozen=True)
class ReadyRows:
    """Rows of one table as they are handed to the database."""

    table: str
    values: Sequence[dict[str, Any]]


Pieces = Callable[[], Iterable[ReadyRows]]

_SQLITE_COUNTED = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
_POSTGRES_COUNTED = text(
    "SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'seq')::regclass)"
)


class ArchivedReturn:
    """Puts whole threads back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, thread_id: str, pieces: Pieces, newest: Mapping[str, int]) -> None:
        """Store a thread, all of it or nothing; `pieces` gives its rows anew each time.

        Its rows get the numbers they had, which say where they stand among all others, unless this
        is another database: then they get new ones, in the same order. `newest` is the greatest
        number in each table.
        """

        async def put(keeps: bool) -> bool:
            async def put(connection: AsyncConnection) -> None:
                await _insert(connection, pieces, keeps=keeps)
                await connection.execute(_mirrored(thread_id, self._database.now()))

            try:
                await self._database.transact(put)
            except IntegrityError:
                return False
            return True

        with plain_failures():
            if await self._has_counted(newest) and await put(True):
                return
            # Others may have these numbers; nobody should have the ids.
            if not await put(False):
                raise DatabaseTrouble(
                    f"{thread_id} cannot be restored: the database has objects with its ids."
                )

    async def _has_counted(self, newest: Mapping[str, int]) -> bool:
        """Whether numbers up to these were given out: others may still come in new rows."""
        counted = _POSTGRES_COUNTED if self._database.is_shared else _SQLITE_COUNTED
        async with self._database.read() as connection:
            for table, seq in newest.items():
                if ((await connection.execute(counted, {"name": table})).scalar() or 0) < seq:
                    return False
        return True


def ready(rows: Sequence[StoredRow]) -> ReadyRows:
    """Return rows of one table ready to be stored: what takes its time is done before others wait.

    On SQLite they do while a thread is stored, which may be a long one.
    """
    table = rows[0].table
    columns = TABLES[table].c
    kept_whole = {
        name: column.type.none_as_null
        for name, column in columns.items()
        if isinstance(column.type, JSON) and name in rows[0].values
    }
    values = [dict(row.values) for row in rows]
    for row in values:
        for name, none_as_null in kept_whole.items():
            if row[name] is not None or not none_as_null:
                row[name] = to_json(row[name])
    return ReadyRows(table, values)


class _Ready(TypeDecorator[str]):
    """JSON that is text already."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Leave the text as it is."""


@cache
def _statement(table: str, names: tuple[str, ...]) -> Insert:
    columns = TABLES[table].c
    kinds = {name: columns[name].type for name in names}
    return insert(TABLES[table]).values(
        {
            name: bindparam(name, type_=_Ready() if isinstance(kind, JSON) else kind)
            for name, kind in kinds.items()
        }
    )


async def _insert(connection: AsyncConnection, pieces: Pieces, *, keeps: bool) -> None:
    for rows in pieces():
        if not keeps:
            for row in rows.values:
                del row["seq"]
                if "last_message_seq" in row:
                    row["last_message_seq"] = await _place(connection, row)
        statement = _statement(rows.table, tuple(rows.values[0]))
        await connection.execute(statement, rows.values)


async def _place(connection: AsyncConnection, thread: Mapping[str, Any]) -> int:
    """Return where a thread stands in its owner's list: behind those used later."""
    if not thread["last_message_seq"]:
        return 0  # it holds no messages, and is in no list
    before = select(func.max(threads.c.last_message_seq)).where(
        threads.c.owner == thread["owner"], threads.c.last_active_at <= thread["last_active_at"]
    )
    return max(1, (await connection.execute(before)).scalar() or 0)


def _mirrored(thread_id: str, now: ColumnElement[float]) -> Insert:
    """Have the messages copied: a mirror that came while they were away has none of them.

    The others know the messages by their ids, and do not take them twice. They wait since now,
    however old they are.
    """
    change = (
        select(
            mirrors.c.target,
            messages.c.thread_id,
            messages.c.id,
            literal(MESSAGE),
            cast(now, Whole),
        )
        .join_from(messages, mirrors, literal(True))
        .where(messages.c.thread_id == thread_id)
        .where(messages.c.status != MessageStatus.IN_PROGRESS)
        .order_by(mirrors.c.seq, messages.c.seq)
    )
    return insert(mirror_outbox).from_select(COLUMNS, change)
