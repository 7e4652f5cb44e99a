"""Records to rows and back."""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Table

from streamlit_assistant.records import JSON

R = TypeVar("R")


def to_row(table: Table, record: object) -> JSON:
    """Return the columns of `table` that `record` fills."""
    return {name: value for name, value in vars(record).items() if name in table.c}


def to_record(cls: type[R], row: Mapping[Any, Any]) -> R:
    """Return the record that a row holds; columns the record does not know are left out."""
    values = {item.name: row[item.name] for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name, kind in _enums(cls):  # type: ignore[arg-type]
        values[name] = kind(values[name])
    return cls(**values)


@cache
def _enums(cls: Any) -> list[tuple[str, type[StrEnum]]]:
    fields = dataclasses.fields(cls)
    return [
        (item.name, item.type)
        for item in fields
        if isinstance(item.type, type) and issubclass(item.type, StrEnum)
    ]
