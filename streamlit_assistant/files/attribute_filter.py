"""Which files a search is about: filters over the attributes of the files of a vector store.

Values of different kinds are never equal and never in order: `"1"` is not `1`, nor is `true`. A
file without the attribute is met only by `ne` and `nin`.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from streamlit_assistant.file_records import AttributeValue
from streamlit_assistant.records import JSON

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def matches(filters: JSON, attributes: Mapping[str, AttributeValue]) -> bool:
    """Whether a file with these attributes is meant. `filters` as on the wire, validated."""
    kind = filters["type"]
    if kind == "and":
        return all(matches(part, attributes) for part in filters["filters"])
    if kind == "or":
        return any(matches(part, attributes) for part in filters["filters"])
    return _compares(kind, attributes.get(filters["key"]), filters["value"])


def _compares(kind: str, mine: object, value: Any) -> bool:
    if kind in ("eq", "ne"):
        return _equal(mine, value) is (kind == "eq")
    if kind in ("in", "nin"):
        values = value if isinstance(value, list) else [value]
        return any(_equal(mine, other) for other in values) is (kind == "in")
    return _kind(mine) is not None and _kind(mine) == _kind(value) and _ORDERS[kind](mine, value)


def _equal(mine: object, other: object) -> bool:
    return _kind(mine) is not None and _kind(mine) == _kind(other) and mine == other


def _kind(value: object) -> type | None:
    if isinstance(value, bool | str):
        return type(value)
    return float if isinstance(value, int | float) else None
