"""What a server added to its message beyond the protocol, kept to be sent back to it.

Some servers refuse to go on with a conversation unless they see it again: what the model thought
before it called, or a signature of that.
"""

from collections.abc import Iterable
from typing import Any

from streamlit_assistant.records import JSON

# What the protocol knows, and what is kept elsewhere.
_KNOWN = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations"}
)
_STREAMED = frozenset({"reasoning_content", "reasoning"})  # they come in pieces
_DETAILS = "reasoning_details"
_STREAMED_DETAILS = frozenset({"text", "summary"})


class Memory:
    """The unknown fields of one message as it comes in."""

    def __init__(self) -> None:
        self._fields: JSON = {}
        self._texts: dict[str, list[str]] = {}
        self._details: list[_Detail] = []

    def take(self, delta: JSON) -> None:
        """Keep what a piece of the message adds."""
        for name, value in delta.items():
            if name in _KNOWN or value in (None, "", [], {}):
                continue
            if name in _STREAMED and isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            elif name == _DETAILS and isinstance(value, list):
                self._add_details(value)
            else:
                self._fields[name] = value

    @property
    def fields(self) -> JSON:
        """What there is to be sent back."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        details = {_DETAILS: [each.whole for each in self._details]} if self._details else {}
        return self._fields | texts | details

    def _add_details(self, pieces: Iterable[Any]) -> None:
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            if not (self._details and self._details[-1].goes_on_with(piece)):
                self._details.append(_Detail())
            self._details[-1].add(piece)


class _Detail:
    """One item of `reasoning_details`: its text comes in pieces, its signature at the end."""

    def __init__(self) -> None:
        self._fields: JSON = {}
        self._texts: dict[str, list[str]] = {}

    def goes_on_with(self, piece: JSON) -> bool:
        return all(self._fields.get(name) == piece.get(name) for name in ("type", "index"))

    def add(self, piece: JSON) -> None:
        for name, value in piece.items():
            if name in _STREAMED_DETAILS and isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            elif value is not None or name not in self._fields:
                self._fields[name] = value

    @property
    def whole(self) -> JSON:
        return self._fields | {name: "".join(pieces) for name, pieces in self._texts.items()}
