"""The items of a response: messages and thoughts. `responses_calls` has those that call."""

from collections.abc import Iterable, Iterator

from streamlit_assistant.providers.base import Delta
from streamlit_assistant.providers.responses.annotations import CitedText, References
from streamlit_assistant.providers.responses.files import UpstreamFiles
from streamlit_assistant.providers.responses.growth import Growth
from streamlit_assistant.providers.responses.shapes import (
    as_count,
    as_object,
    as_objects,
    as_piece,
    as_text,
)
from streamlit_assistant.providers.responses.stage import Stage
from streamlit_assistant.records import JSON

MESSAGE, REASONING = "message", "reasoning"
TEXT, REFUSAL = "output_text", "refusal"
SUMMARY, CONTENT = "summary", "content"


class Item:
    """An item of a response, shown while it comes; whatever is told twice is shown once.

    One that is nothing else is not shown at all.
    """

    def add(self, field: str, event: JSON) -> Iterator[Delta]:
        """Take the event of a piece of one of its texts."""
        yield from ()

    def fill(self, field: str, event: JSON, text: str) -> Iterator[Delta]:
        """Take the event of a whole text."""
        yield from ()

    def open(self, item: JSON) -> Iterator[Delta]:
        """Take what is known at its beginning."""
        yield from ()

    def close(self, item: JSON) -> Iterator[Delta]:
        """Take all of it."""
        yield from ()

    def end(self) -> Iterator[Delta]:
        """Take what there is for all of it."""
        yield from ()

    def tear(self) -> None:
        """Note that pieces of it may be missing."""

    def begins(self, item: JSON) -> bool:
        """Return whether what was shown is how another way of telling this item begins."""
        return False


class Message(Item):
    """A message: texts with annotations, refusals."""

    def __init__(self, stage: Stage, files: UpstreamFiles, torn: bool = False) -> None:
        """`torn`: pieces of it may be missing already."""
        self._stage = stage
        self._files = files
        self._torn = torn
        self._growths: dict[tuple[int, str], Growth] = {}
        self._texts: dict[int, CitedText] = {}
        self._references = References()
        self._is_concluded = False

    def add(self, field: str, event: JSON) -> Iterator[Delta]:
        """Take a piece of a part."""
        part = self._part(field, event.get("content_index"))
        yield from self._show(part, self._growths[part].add(as_piece(event.get("delta"))))

    def fill(self, field: str, event: JSON, text: str) -> Iterator[Delta]:
        """Take a whole part."""
        part = self._part(field, event.get("content_index"))
        yield from self._show(part, self._growths[part].settle(text))

    def take_part(self, part: JSON, index: object) -> Iterator[Delta]:
        """Take a whole part with its annotations."""
        if part.get("type") == REFUSAL:
            yield from self.fill(REFUSAL, {"content_index": index}, as_text(part.get("refusal")))
            return
        # First where its markers belong, then the text they belong into.
        for annotation in as_objects(part.get("annotations")):
            yield from self.refer(annotation, index)
        yield from self.fill(TEXT, {"content_index": index}, as_text(part.get("text")))

    def refer(self, annotation: JSON, index: object) -> Iterator[Delta]:
        """Take an annotation of a part, unless another message has begun since."""
        if not self._is_concluded:
            place, _ = self._part(TEXT, index)
            yield from self._texts[place].refer(annotation)

    def close(self, item: JSON) -> Iterator[Delta]:
        """Take all parts."""
        for index, part in _parts(item):
            yield from self.take_part(part, index)
        yield from self.end()

    def end(self) -> Iterator[Delta]:
        """Take what there is for all parts."""
        for part, growth in list(self._growths.items()):
            yield from self._show(part, growth.flush())
        if any(not growth.empty for growth in self._growths.values()):
            yield from self.conclude()

    def conclude(self) -> Iterator[Delta]:
        """Say what is said at the end of a message."""
        if self._is_concluded:
            return
        self._is_concluded = True
        for text in self._texts.values():
            yield from text.conclude()
        notes = self._references.footnotes("".join(text.shown for text in self._texts.values()))
        if notes:
            yield from self._stage.say(notes)

    def tear(self) -> None:
        """Note that pieces may be missing."""
        self._torn = True
        for growth in self._growths.values():
            growth.tear()

    def begins(self, item: JSON) -> bool:
        """Return whether the text of the item begins with what was said."""
        said = "".join(growth.said for growth in self._growths.values())
        whole = "".join(as_text(p.get("text") or p.get("refusal")) for _, p in _parts(item))
        return bool(said) and whole.startswith(said)

    def _part(self, kind: str, index: object) -> tuple[int, str]:
        place = as_count(index)
        if place is None:  # not every server counts the parts
            place = next((at for at, known in self._growths if known == kind), 0)
        part = place, kind
        if part not in self._growths:
            self._growths[part] = Growth(self._torn)
            if kind == TEXT:
                self._texts[place] = CitedText(self._stage, self, self._files, self._references)
        return part

    def _show(self, part: tuple[int, str], said: str) -> Iterator[Delta]:
        if not said:
            return
        place, kind = part
        if kind == REFUSAL:
            yield from self._stage.speak(self)
            yield from self._stage.refuse(said)
        else:
            yield from self._texts[place].say(said)


class Reasoning(Item):
    """What the model thinks, or a summary of it."""

    def __init__(self, stage: Stage, torn: bool = False) -> None:
        """`torn`: pieces of it may be missing already."""
        self._stage = stage
        self._torn = torn
        self._growths: dict[tuple[str, int], Growth] = {}

    def add(self, field: str, event: JSON) -> Iterator[Delta]:
        """Take a piece of a thought."""
        growth = self._growth(field, event)
        yield from self._show(growth, growth.empty, growth.add(as_piece(event.get("delta"))))

    def fill(self, field: str, event: JSON, text: str) -> Iterator[Delta]:
        """Take a whole thought."""
        growth = self._growth(field, event)
        yield from self._show(growth, growth.empty, growth.settle(text))

    def close(self, item: JSON) -> Iterator[Delta]:
        """Take all thoughts."""
        seen = {field for field, _ in self._growths}
        for field, index, part in _thoughts(item):
            # Who streams thoughts may tell them once more, as the summary they are not.
            if not seen or field in seen:
                yield from self.fill(field, {f"{field}_index": index}, as_text(part.get("text")))
        yield from self.end()

    def end(self) -> Iterator[Delta]:
        """Take what there is for all thoughts."""
        for growth in self._growths.values():
            yield from self._show(growth, growth.empty, growth.flush())

    def tear(self) -> None:
        """Note that pieces may be missing."""
        self._torn = True
        for growth in self._growths.values():
            growth.tear()

    def begins(self, item: JSON) -> bool:
        """Return whether one of the item's thoughts begins with one that was shown."""
        known = [growth.said for growth in self._growths.values() if not growth.empty]
        told = [as_text(part.get("text")) for _, _, part in _thoughts(item)]
        return any(text.startswith(said) for text in told for said in known)

    def _growth(self, field: str, event: JSON) -> Growth:
        index = as_count(event.get(f"{field}_index")) or 0
        return self._growths.setdefault((field, index), Growth(self._torn))

    def _show(self, growth: Growth, is_new: bool, said: str) -> Iterator[Delta]:
        if said:
            yield from self._stage.think(said, is_new)


def _parts(item: JSON) -> Iterable[tuple[int, JSON]]:
    content = item.get("content")
    if isinstance(content, str):
        return [(0, {"type": TEXT, "text": content})]
    parts = enumerate(content if isinstance(content, list) else [])
    return [
        (i, part) for i, part in parts if as_object(part).get("type") in (TEXT, REFUSAL, "text")
    ]


def _thoughts(item: JSON) -> Iterator[tuple[str, int, JSON]]:
    for field in (SUMMARY, CONTENT):
        for index, part in enumerate(as_objects(item.get(field))):
            yield field, index, part
