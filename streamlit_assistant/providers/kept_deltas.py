"""Deltas as JSON and back: those that mean the same when they come again on another day."""

from dataclasses import fields
from typing import Any

from streamlit_assistant.providers.base import (
    Annotated,
    CallArguments,
    CallKind,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    MessageStart,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
)
from streamlit_assistant.records import JSON

KINDS = (
    *(MessageStart, TextDelta, RefusalDelta, ReasoningDelta, Annotated),
    *(CallStart, CallArguments, Remember, Finish),
)
# Fields that are more than JSON.
_READERS = {(CallStart, "kind"): CallKind, (Finish, "reason"): FinishReason}
_BY_NAME: dict[str, type[Delta]] = {kind.__name__: kind for kind in KINDS}
_NAME = "delta"


def encoded(delta: Delta) -> JSON | None:
    """Return a delta as JSON; None if it is bound to its day or to its server's files."""
    if not isinstance(delta, KINDS) or _needs_server(delta):
        return None
    values = {field.name: getattr(delta, field.name) for field in fields(delta)}
    return {_NAME: type(delta).__name__, **values}


def decoded(data: JSON) -> Delta:
    """Return the delta; raise `ValueError` for what another version has written."""
    kind = _BY_NAME.get(data.get(_NAME, ""))
    if kind is None:
        raise ValueError("a delta of a kind that this version does not know")
    try:
        return kind(**{name: _read(kind, name, data[name]) for name in data if name != _NAME})
    except TypeError as error:
        raise ValueError(f"a {kind.__name__} with other fields") from error


def _read(kind: type[Delta], name: str, value: Any) -> Any:
    reader = _READERS.get((kind, name))
    return value if reader is None else reader(value)


def _needs_server(delta: Delta) -> bool:
    match delta:
        case Annotated(file=file, file_id=file_id):
            return file is not None or file_id is not None
        case CallStart(kind=kind):
            return kind is not CallKind.FUNCTION
    return False
