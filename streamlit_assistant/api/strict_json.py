"""JSON as the API takes it: nothing that could not be stored, read and sent again."""

import json
import math
from typing import Any

MOST_NESTING = 100  # brackets within brackets, far beyond any schema of use


def read_json(raw: str | bytes | bytearray) -> Any:
    """Return what a text says; raises `ValueError`, or `RecursionError` where it is very deep."""
    value = json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite)
    # Nearly every text has too few brackets for that, and need not be walked through.
    opened = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if opened.count(b"[") + opened.count(b"{") > MOST_NESTING:
        _refuse_deep(value)
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _refuse_deep(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_NESTING):
        if not level:
            return
        inner = [item.values() if isinstance(item, dict) else item for item in level]
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    if level:
        raise ValueError(f"it is nested deeper than {MOST_NESTING} levels")
