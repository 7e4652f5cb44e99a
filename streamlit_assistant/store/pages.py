"""Cursor pages over any of the tables, in both directions, at a cost that does not grow."""

from sqlalchemy import ColumnElement, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import NotFound
from streamlit_assistant.records import Page, PageQuery
from streamlit_assistant.store.rows import R, to_record


async def read_page(
    connection: AsyncConnection,
    table: Table,
    cls: type[R],
    query: PageQuery,
    *where: ColumnElement[bool],
    noun: str,
    by: tuple[str, ...] = ("seq",),
) -> Page[R]:
    """Return the items behind `query.after` and ahead of `query.before`, in `query.order`.

    With `before` alone these are the nearest items ahead of it, so that a caller can page back.
    `by` names the columns that order the list. An unknown cursor raises `NotFound`.
    """
    key = tuple_(*(table.c[name] for name in by))
    conditions = list(where)
    descending = query.order == "desc"
    if query.after is not None:
        cursor = await _cursor(connection, table, by, query.after, where, noun)
        conditions.append(key < cursor if descending else key > cursor)
    if query.before is not None:
        cursor = await _cursor(connection, table, by, query.before, where, noun)
        conditions.append(key > cursor if descending else key < cursor)
    backwards = query.before is not None and query.after is None
    falling = descending != backwards
    columns = [table.c[name].desc() if falling else table.c[name].asc() for name in by]
    found = await connection.execute(
        select(table).where(*conditions).order_by(*columns).limit(query.limit + 1)
    )
    items = [to_record(cls, row) for row in found.mappings()]
    has_more = len(items) > query.limit
    items = items[: query.limit]
    return Page(items[::-1] if backwards else items, has_more)


async def _cursor(
    connection: AsyncConnection,
    table: Table,
    by: tuple[str, ...],
    object_id: str,
    where: tuple[ColumnElement[bool], ...],
    noun: str,
) -> ColumnElement[tuple[object, ...]]:
    row = (
        await connection.execute(
            select(*(table.c[name] for name in by)).where(table.c.id == object_id, *where)
        )
    ).first()
    if row is None:
        raise NotFound(f"No {noun} found with id '{object_id}'.")
    return tuple_(*row)
