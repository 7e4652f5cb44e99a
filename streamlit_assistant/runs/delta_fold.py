"""Folding deltas into a message. Deltas on the wire and the stored message come from here alone,
so that a client which adds up the deltas holds exactly the final message."""

from collections.abc import Iterable
from typing import Any

from streamlit_assistant.records import JSON

TEXT = "text"
REFUSAL = "refusal"


class MessageFold:
    """The content of a message while it grows. Adding a piece costs the piece, not the whole."""

    def __init__(self) -> None:
        self._kinds: list[str] = []
        self._pieces: list[list[str]] = []

    def append(self, kind: str, piece: str) -> JSON:
        """Add text or refusal; return the content part for the `thread.message.delta` object."""
        opens = not self._kinds or self._kinds[-1] != kind
        if opens:
            self._kinds.append(kind)
            self._pieces.append([])
        self._pieces[-1].append(piece)
        index = len(self._kinds) - 1
        if kind == REFUSAL:
            return {"index": index, "type": REFUSAL, "refusal": piece}
        # The client adds up lists, so the empty one is sent once, with the part's first delta.
        text: JSON = {"value": piece, "annotations": []} if opens else {"value": piece}
        return {"index": index, "type": TEXT, "text": text}

    def absorb(self, part: JSON) -> None:
        """Add a content part as `append` returned it, for example from a stored event."""
        kind = part["type"]
        self.append(kind, part[REFUSAL] if kind == REFUSAL else part["text"]["value"])

    @property
    def empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._kinds

    @property
    def content(self) -> list[JSON]:
        """The content parts of the message object."""
        return [
            _part(kind, "".join(pieces))
            for kind, pieces in zip(self._kinds, self._pieces, strict=True)
        ]


def fold_deltas(deltas: Iterable[JSON]) -> list[JSON]:
    """Return the content that the `thread.message.delta` objects add up to."""
    fold = MessageFold()
    for delta in deltas:
        for part in delta["delta"]["content"]:
            fold.absorb(part)
    return fold.content


def _part(kind: str, value: str) -> dict[str, Any]:
    if kind == REFUSAL:
        return {"type": REFUSAL, "refusal": value}
    return {"type": TEXT, "text": {"value": value, "annotations": []}}
