"""JSON as it is stored and sent: readable text for every language, no byte more than needed."""

import json

# Made once: every token passes through it.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(value: object) -> str:
    """Return a value as JSON; raise `TypeError` for what JSON does not know."""
    return _ENCODER.encode(value)
