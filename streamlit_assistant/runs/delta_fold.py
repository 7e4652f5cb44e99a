"""Folding deltas into a message or into tool calls. Deltas on the wire and the stored objects come
from here alone, so that a client which adds up the deltas holds exactly the final object."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streamlit_assistant.records import JSON

TEXT = "text"
REFUSAL = "refusal"
IMAGE = "image_file"


@dataclass
class _Part:
    kind: str
    pieces: list[str] = field(default_factory=list)
    annotations: list[JSON] = field(default_factory=list)
    length: int = 0  # in characters

    def add(self, piece: str) -> None:
        """Add text, or the id of an image."""
        self.pieces.append(piece)
        self.length += len(piece)

    def as_content(self) -> JSON:
        """The content part of the message object."""
        value = "".join(self.pieces)
        if self.kind == REFUSAL:
            return {"type": REFUSAL, "refusal": value}
        if self.kind == IMAGE:
            return _image(value)
        return {"type": TEXT, "text": {"value": value, "annotations": list(self.annotations)}}


class MessageFold:
    """The content of a message while it grows. Adding a piece costs the piece, not the whole."""

    def __init__(self, content: Iterable[JSON] = ()) -> None:
        """`content` is what the message has already."""
        self._parts: list[_Part] = []
        for part in content:
            self.absorb({"index": len(self._parts), **part})

    def append(self, kind: str, piece: str) -> JSON:
        """Add text or refusal; return the content part for the `thread.message.delta` object."""
        opens = not self._parts or self._parts[-1].kind != kind
        if opens:
            self._parts.append(_Part(kind))
        self._parts[-1].add(piece)
        index = len(self._parts) - 1
        if kind == REFUSAL:
            return {"index": index, "type": REFUSAL, "refusal": piece}
        # The client adds up lists, so the empty one is sent once, with the part's first delta.
        text: JSON = {"value": piece, "annotations": []} if opens else {"value": piece}
        return {"index": index, "type": TEXT, "text": text}

    def annotate(self, annotation: JSON) -> JSON:
        """Add an annotation to the text that was added last; return its content part."""
        part = self._parts[-1]
        part.annotations.append(annotation)
        numbered = {"index": len(part.annotations) - 1, **annotation}
        index = len(self._parts) - 1
        return {"index": index, "type": TEXT, "text": {"annotations": [numbered]}}

    def illustrate(self, file_id: str) -> JSON:
        """Add an image; return its content part."""
        self._parts.append(_Part(IMAGE))
        self._parts[-1].add(file_id)
        return {"index": len(self._parts) - 1, **_image(file_id)}

    def absorb(self, part: JSON) -> None:
        """Add a content part as `append` or `annotate` returned it, e.g. from a stored event."""
        if part["type"] == REFUSAL:
            self.append(REFUSAL, part[REFUSAL])
            return
        if part["type"] == IMAGE:
            self.illustrate(part[IMAGE]["file_id"])
            return
        if "value" in part["text"]:
            self.append(TEXT, part["text"]["value"])
        for numbered in part["text"].get("annotations", ()):
            self.annotate({name: value for name, value in numbered.items() if name != "index"})

    @property
    def empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._parts

    @property
    def length(self) -> int:
        """How many characters the part has that was added last."""
        return self._parts[-1].length

    @property
    def content(self) -> list[JSON]:
        """The content parts of the message object."""
        return [part.as_content() for part in self._parts]


def fold_deltas(deltas: Iterable[JSON]) -> list[JSON]:
    """Return the content that the `thread.message.delta` objects add up to."""
    fold = MessageFold()
    for delta in deltas:
        for part in delta["delta"]["content"]:
            fold.absorb(part)
    return fold.content


def _image(file_id: str) -> JSON:
    return {"type": IMAGE, IMAGE: {"file_id": file_id}}
