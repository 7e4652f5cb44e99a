"""What can be made of JSON that a model server sends: nothing in it is what it should be."""

import json
import math
from typing import Any

from streamlit_assistant.records import JSON
from streamlit_assistant.surrogates import whole

MOST = 2**53  # a count beyond it is not one


def as_text(value: Any) -> str:
    """Return a string, "" for anything else."""
    return whole(value) if isinstance(value, str) else ""


def as_piece(value: Any) -> str:
    """Return a piece of a text, of which a character may have been cut in two."""
    return value if isinstance(value, str) else ""


def as_object(value: Any) -> JSON:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[JSON]:
    """Return the objects of a list, none for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_count(value: Any) -> int | None:
    """Return a number that counts something, None for anything else."""
    return value if type(value) is int and 0 <= value < MOST else None


def as_score(value: Any) -> float:
    """Return a number between worst and best, 0 for anything else."""
    is_number = type(value) in (int, float) and math.isfinite(value)
    return float(value) if is_number else 0.0


def as_arguments(value: Any) -> str:
    """Return arguments as JSON text; some servers send what the JSON means instead."""
    if isinstance(value, dict):
        return whole(json.dumps(value, ensure_ascii=False))
    return as_text(value)
