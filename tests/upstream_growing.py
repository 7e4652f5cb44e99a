"""An output item of the Responses API that grows: a message, or the model's thinking."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from tests.upstream_wire import JSON

Emit = Callable[..., bytes]  # the name of an event and what is in it


@dataclass(frozen=True)
class Kind:
    """A kind of part: in which list of the item, and how its events are named."""

    place: str  # the list
    text: str  # the field
    event: str
    part_event: str | None  # None: parts of this kind are not announced


KINDS = {
    "output_text": Kind("content", "text", "output_text", "content_part"),
    "refusal": Kind("content", "refusal", "refusal", "content_part"),
    "reasoning_text": Kind("content", "text", "reasoning_text", None),
    "summary_text": Kind("summary", "text", "reasoning_summary_text", "reasoning_summary_part"),
}


class Growing:
    """Writes the events of one item, which is up to date at any time."""

    def __init__(self, emit: Emit, item: JSON, index: int) -> None:
        """`index` is the item's place in the output."""
        self.item = item
        self._emit = emit
        self._index = index
        self._part: JSON = {}

    def begin(self) -> bytes:
        """Return its announcement."""
        begun = deepcopy(self.item)
        return self._emit("response.output_item.added", output_index=self._index, item=begun)

    def add(self, kind: str, text: str) -> bytes:
        """Return the events of more text of a kind."""
        opened = b""
        if self._part.get("type") != kind:
            opened = self._end_part() + self._begin_part(kind)
        self._part[KINDS[kind].text] += text
        return opened + self._of_part(f"response.{KINDS[kind].event}.delta", delta=text)

    def annotate(self, place: int, annotation: JSON) -> bytes:
        """Return the event of an annotation of the text that is open."""
        self._part["annotations"].append(annotation)
        added = {"annotation_index": place, "annotation": annotation}
        return self._of_part("response.output_text.annotation.added", **added)

    def end(self, **changed: object) -> bytes:
        """Return its last events."""
        ended = self._end_part()
        self.item.update(changed)
        index = self._index
        return ended + self._emit("response.output_item.done", output_index=index, item=self.item)

    def _begin_part(self, kind: str) -> bytes:
        self._part = {"type": kind, KINDS[kind].text: ""}
        if kind == "output_text":
            self._part |= {"annotations": [], "logprobs": []}
        self.item.setdefault(KINDS[kind].place, []).append(self._part)
        return self._part_event("added")

    def _end_part(self) -> bytes:
        if not self._part:
            return b""
        kind = KINDS[self._part["type"]]
        text = {kind.text: self._part[kind.text]}
        said = self._of_part(f"response.{kind.event}.done", **text)
        return said + self._part_event("done")

    def _part_event(self, stage: str) -> bytes:
        name = KINDS[self._part["type"]].part_event
        if name is None:
            return b""
        return self._of_part(f"response.{name}.{stage}", part=deepcopy(self._part))

    def _of_part(self, event: str, **data: object) -> bytes:
        kind = KINDS[self._part["type"]]
        place = f"{kind.place}_index", len(self.item[kind.place]) - 1
        if event.startswith("response.output_text.d"):
            data["logprobs"] = []
        of_item = {"item_id": self.item["id"], "output_index": self._index}
        return self._emit(event, **of_item, **dict([place]), **data)
