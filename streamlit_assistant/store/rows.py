"""Records to rows and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import Table

from streamlit_assistant.records import JSON, MessageStatus, Run, RunStatus, RunStep, StepStatus

R = TypeVar("R")


def to_row(table: Table, record: object) -> JSON:
    """Return the columns of `table` that `record` fills."""
    return {name: value for name, value in vars(record).items() if name in table.c}


def to_record(cls: type[R], row: Mapping[Any, Any]) -> R:
    """Return the record that a row holds; columns the record does not know are left out."""
    values = {item.name: row[item.name] for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if "status" in values:
        values["status"] = _status_type(cls)(values["status"])
    return cls(**values)


def _status_type(cls: type) -> type[RunStatus] | type[StepStatus] | type[MessageStatus]:
    if cls is Run:
        return RunStatus
    return StepStatus if cls is RunStep else MessageStatus
