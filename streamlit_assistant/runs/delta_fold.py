"""Folding deltas into a message or into tool calls. Deltas on the wire and the stored objects come
from here alone, so that a client which adds up the deltas holds exactly the final object."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streamlit_assistant.records import JSON

TEXT = "text"
REFUSAL = "refusal"
FUNCTION = "function"
FILE_SEARCH = "file_search"


@dataclass
class _Part:
    kind: str
    pieces: list[str] = field(default_factory=list)
    annotations: list[JSON] = field(default_factory=list)
    length: int = 0  # in characters

    def as_content(self) -> JSON:
        """The content part of the message object."""
        value = "".join(self.pieces)
        if self.kind == REFUSAL:
            return {"type": REFUSAL, "refusal": value}
        return {"type": TEXT, "text": {"value": value, "annotations": list(self.annotations)}}


class MessageFold:
    """The content of a message while it grows. Adding a piece costs the piece, not the whole."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    def append(self, kind: str, piece: str) -> JSON:
        """Add text or refusal; return the content part for the `thread.message.delta` object."""
        opens = not self._parts or self._parts[-1].kind != kind
        if opens:
            self._parts.append(_Part(kind))
        part = self._parts[-1]
        part.pieces.append(piece)
        part.length += len(piece)
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

    def absorb(self, part: JSON) -> None:
        """Add a content part as `append` or `annotate` returned it, e.g. from a stored event."""
        if part["type"] == REFUSAL:
            self.append(REFUSAL, part[REFUSAL])
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
    def position(self) -> int:
        """How many characters the part has to which text would be added now."""
        return self._parts[-1].length if self._parts and self._parts[-1].kind == TEXT else 0

    @property
    def content(self) -> list[JSON]:
        """The content parts of the message object."""
        return [part.as_content() for part in self._parts]


@dataclass
class _Call:
    kind: str
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def as_tool_call(self) -> JSON:
        """The tool call of the run step object, before anybody answered it."""
        arguments = "".join(self.arguments)
        if self.kind == FILE_SEARCH:
            # The arguments of a search are ours alone: the protocol has no place for them.
            return {"id": self.id, "type": FILE_SEARCH, FILE_SEARCH: {}, "arguments": arguments}
        function = {"name": self.name, "arguments": arguments, "output": None}
        return {"id": self.id, "type": FUNCTION, FUNCTION: function}


class CallFold:
    """The tool calls of a run step while the model writes them."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def open(self, kind: str, call_id: str, name: str) -> JSON:
        """Begin a call; return the tool call for the `thread.run.step.delta` object."""
        self._calls.append(_Call(kind, call_id, name))
        opened: JSON = {"index": len(self._calls) - 1, "id": call_id, "type": kind}
        if kind == FILE_SEARCH:
            return opened | {FILE_SEARCH: {}}
        return opened | {FUNCTION: {"name": name, "arguments": "", "output": None}}

    def append(self, index: int, piece: str) -> JSON | None:
        """Add arguments; return their tool call, or None where the protocol shows none."""
        call = self._calls[index]
        call.arguments.append(piece)
        if call.kind == FILE_SEARCH:
            return None
        return {"index": index, "type": FUNCTION, FUNCTION: {"arguments": piece}}

    def absorb(self, call: JSON) -> None:
        """Add a tool call as `open` or `append` returned it, e.g. from a stored event."""
        if "id" in call:
            self.open(call["type"], call["id"], call.get(FUNCTION, {}).get("name", ""))
        else:
            self.append(call["index"], call[FUNCTION]["arguments"])

    @property
    def tool_calls(self) -> list[JSON]:
        """The tool calls of the run step, unanswered."""
        return [call.as_tool_call() for call in self._calls]


def fold_deltas(deltas: Iterable[JSON]) -> list[JSON]:
    """Return the content that the `thread.message.delta` objects add up to."""
    fold = MessageFold()
    for delta in deltas:
        for part in delta["delta"]["content"]:
            fold.absorb(part)
    return fold.content


def fold_calls(deltas: Iterable[JSON]) -> Sequence[JSON]:
    """Return the tool calls that the `thread.run.step.delta` objects add up to."""
    fold = CallFold()
    for delta in deltas:
        for call in delta["delta"]["step_details"]["tool_calls"]:
            fold.absorb(call)
    return fold.tool_calls
