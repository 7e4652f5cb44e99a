"""The rows that a thread consists of, as lines of JSON, in one order that never changes.

They are taken column by column: a new column of one of these tables comes along by itself. What the
database holds as JSON is passed on as it is: taking it apart would take longer than all the rest.
"""

import json
import marshal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Column,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.json_text import to_json
from streamlit_assistant.store.tables import messages, run_events, run_steps, runs, threads
from streamlit_assistant.store.upstream_tables import upstream_containers

FIRST_ROWS, MOST_ROWS = 50, 1000  # in a piece
PIECE = 1 << 20  # bytes that a piece shall have: a message alone may have as many
MARKED = 2  # the format that does not depend on who else refers to a value
_THREAD: BindParameter[str] = bindparam("thread_id")


@dataclass(frozen=True)
class StoredRow:
    """A row of a table, by its columns."""

    table: str
    values: Mapping[str, Any]

    @property
    def line(self) -> bytes:
        """The row as a line of JSON."""
        return f"{to_json({'table': self.table, 'row': self.values})}\n".encode()


@dataclass(frozen=True)
class Piece:
    """Rows of one table."""

    source: Table
    found: Sequence[Any]

    @property
    def table(self) -> str:
        """The name of the table."""
        return self.source.name

    @property
    def lines(self) -> list[bytes]:
        """A line of JSON for each row."""
        return _lines(self.source, self.found)

    @cached_property
    def mark(self) -> bytes:
        """Bytes that are others as soon as anything in the rows is, and much sooner made."""
        return b"".join([marshal.dumps(tuple(row), MARKED) for row in self.found])


@dataclass(frozen=True)
class Part:
    """A table of which rows belong to a thread, and the columns that say in which order."""

    table: Table
    key: tuple[Column[int], ...]


# In the order in which they refer to each other.
PARTS = (
    Part(threads, (threads.c.seq,)),
    Part(messages, (messages.c.seq,)),
    Part(runs, (runs.c.seq,)),
    Part(run_steps, (runs.c.seq, run_steps.c.seq)),
)
TABLES: Mapping[str, Table] = {part.table.name: part.table for part in PARTS}
# What goes with a thread and is not worth keeping: events of ended runs are forgotten within a day,
# and containers of model servers within the hour.
FORGOTTEN = (run_events, upstream_containers)


async def read_pieces(
    connection: AsyncConnection, thread_id: str, *, lock: bool = False
) -> AsyncIterator[Piece]:
    """Yield the rows of a thread, a piece at a time; `lock` them in order to remove them."""
    for part in PARTS:
        after, limit = (0,) * len(part.key), FIRST_ROWS
        while True:
            named = {"thread_id": thread_id, "most": limit, **_named(after)}
            found = (await connection.execute(_query(part, lock=lock), named)).all()
            if found:
                piece = Piece(part.table, found)
                yield piece
            if len(found) < limit:
                break
            after = tuple(found[-1][-len(after) :])
            limit = max(1, min(MOST_ROWS, PIECE * len(found) // len(piece.mark)))


async def thread_line(connection: AsyncConnection, thread_id: str) -> bytes | None:
    """Return the line of a thread's own row."""
    named = {"thread_id": thread_id, "most": 1, **_named((0,))}
    found = (await connection.execute(_query(PARTS[0], lock=False), named)).all()
    return _lines(threads, found)[0] if found else None


@cache
def _query(part: Part, *, lock: bool) -> Select[Any]:
    plain, made_of_json = _columns(part.table)
    columns = [*plain, *(cast(column, Text) for column in made_of_json), *part.key]
    query = select(*(column.label(f"c{i}") for i, column in enumerate(columns)))
    if part.table is run_steps:
        query = query.join_from(runs, run_steps, run_steps.c.run_id == runs.c.id)
    owner = {"threads": threads.c.id, "messages": messages.c.thread_id}
    query = query.where(owner.get(part.table.name, runs.c.thread_id) == _THREAD)
    ahead = tuple_(*part.key) > tuple_(*(bindparam(name) for name in _named(part.key)))
    # The first column once more, by itself: that is what an index is searched for.
    within = part.key[0] >= bindparam("after_0")
    query = query.where(ahead, within).order_by(*part.key).limit(bindparam("most"))
    return query.with_for_update(of=part.table) if lock else query


@cache
def _columns(table: Table) -> tuple[list[Column[Any]], list[Column[Any]]]:
    made_of_json = [column for column in table.c if isinstance(column.type, JSON)]
    return [column for column in table.c if column not in made_of_json], made_of_json


def _lines(table: Table, found: Sequence[Any]) -> list[bytes]:
    plain, made_of_json = _columns(table)
    names = [column.name for column in plain]
    start = f'{{"table":"{table.name}","row":{{'
    titles = [f',"{column.name}":' for column in made_of_json]
    lines = []
    for row in found:
        values = to_json(dict(zip(names, row, strict=False)))[1:-1]
        texts = zip(titles, row[len(names) :], strict=False)
        rest = "".join([title + _on_one_line(value) for title, value in texts])
        lines.append(f"{start}{values}{rest}}}}}\n".encode())
    return lines


def _on_one_line(value: str | None) -> str:
    if value is None:
        return "null"
    return to_json(json.loads(value)) if "\n" in value else value


def _named(key: Sequence[Any]) -> dict[str, Any]:
    return {f"after_{position}": value for position, value in enumerate(key)}
