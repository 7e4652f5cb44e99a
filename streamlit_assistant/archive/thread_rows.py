"""What the rows of a thread must be like to come back: of this thread alone, and of known kinds.

A checksum says that nothing was damaged, not who wrote it: an archive is files that others may have
had in their hands, and what is restored belongs to somebody from then on.
"""

from collections.abc import Collection, Mapping
from functools import cache
from types import NoneType
from typing import Any

from streamlit_assistant.archive.archive_errors import BrokenObject
from streamlit_assistant.store.archived_rows import PARTS, TABLES, StoredRow
from streamlit_assistant.store.tables import ACTIVE_STATUSES

ORDER = {part.table.name: position for position, part in enumerate(PARTS)}
MOST = 2**63 - 1  # the greatest number that a database takes
# What a column takes, by what it is said to hold: SQLite keeps fractions among whole numbers. All
# that is not here is JSON, of any kind.
KINDS: Mapping[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int, float),
    float: (int, float),
    str: (str,),
}


class RowCheck:
    """Looks at the rows of one thread as they come."""

    def __init__(self, thread_id: str) -> None:
        self._thread_id = thread_id
        self._last = -1  # where the table of the last row stands in the order
        self._columns: dict[str, Collection[str]] = {}
        self._runs: set[str] = set()

    def add(self, row: StoredRow) -> None:
        """Take in the next row; raise `BrokenObject` unless it is one of the thread's."""
        table, values = row.table, row.values
        if table not in self._columns:
            self._columns[table] = values.keys()
            if missing := _needed(table) - values.keys():
                raise BrokenObject(f"its {table} lack {', '.join(sorted(missing))}")
        elif table == "threads":
            raise BrokenObject("it holds more than one thread")
        if ORDER[table] < self._last or values.keys() != self._columns[table]:
            raise BrokenObject(f"its {table} are in disorder")
        self._last = ORDER[table]
        _ensure_kinds(table, values)
        self._ensure_mine(table, values)

    def end(self) -> None:
        """Raise `BrokenObject` unless the thread itself was among the rows."""
        if "threads" not in self._columns:
            raise BrokenObject("it holds no thread")

    def _ensure_mine(self, table: str, values: Mapping[str, Any]) -> None:
        if values["id" if table == "threads" else "thread_id"] != self._thread_id:
            raise BrokenObject(f"some of its {table} are of another thread")
        if table == "runs":
            self._runs.add(values["id"])
            if values["status"] in ACTIVE_STATUSES:  # it would go on, whoever asked for it
                raise BrokenObject("one of its runs has not ended")
        if table == "run_steps" and values["run_id"] not in self._runs:
            raise BrokenObject("some of its run_steps are of another run")


def _ensure_kinds(table: str, values: Mapping[str, Any]) -> None:
    kinds = _kinds(table)
    for name, value in values.items():
        fits = isinstance(value, kinds.get(name, object))
        if fits and isinstance(value, int | float):
            fits = abs(value) <= MOST
        if not fits or (name == "seq" and value < 1):
            raise BrokenObject(f"it holds {table} with a wrong kind of {name}")


@cache
def _needed(table: str) -> frozenset[str]:
    defaults = ((c, c.default or c.server_default) for c in TABLES[table].c)
    return frozenset(c.name for c, default in defaults if not (c.nullable or default))


@cache
def _kinds(table: str) -> Mapping[str, tuple[type, ...]]:
    return {
        column.name: (
            *((int,) if column.primary_key else KINDS.get(column.type.python_type, (object,))),
            *((NoneType,) if column.nullable else ()),
        )
        for column in TABLES[table].c
    }
