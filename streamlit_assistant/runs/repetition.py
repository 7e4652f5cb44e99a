"""What was shown of a message before, and what of it comes once more with a repeated answer.

The text is the same, but for one thing: a marker that the model server's adapter writes where a
file is cited stands where the citation was known. That is behind its place if the text was streamed
and at its place if the whole text was read at once, so markers are told apart from the text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streamlit_assistant.records import JSON
from streamlit_assistant.runs.delta_fold import IMAGE, TEXT

# Numbered through, other than those of our own search. What a model writes itself may look like it,
# but does not come in one piece.
_MARKER = re.compile(r"【\d+†[^【】†]*】")
_AT_END = re.compile(_MARKER.pattern + r"\Z")


@dataclass
class _Marker:
    text: str
    annotation: JSON | None = None


class Repetition:
    """Passes over what was shown. `late` are annotated markers that the text goes on behind."""

    def __init__(self, content: Iterable[JSON]) -> None:
        """`content` is what was shown, if there was anything."""
        parts = list(content)
        self._images = sum(part["type"] == IMAGE for part in parts)
        texts = [part for part in parts if part["type"] != IMAGE]
        self._annotations = [note for part in texts for note in _annotations(part)]
        self._places: dict[str, int] = {
            note["text"]: note["start_index"]
            for note in self._annotations
            if _MARKER.fullmatch(note["text"])
        }
        self._left = sum(len(_value(part)) for part in texts) - sum(map(len, self._places))
        self._late: list[_Marker] = []
        # Nobody knows yet whether it is one: its annotation would have come next.
        last = _AT_END.search(_value(texts[-1])) if texts else None
        self._doubtful = "" if last is None or last[0] in self._places else last[0]
        if last is not None and self._doubtful:
            self._places[last[0]] = last.start()

    def unseen(self, piece: str) -> str:
        """Return what is new of a piece of text."""
        if _MARKER.fullmatch(piece):
            if piece in self._places:
                self._left -= len(piece) if piece == self._doubtful else 0
                return ""
            if self._left:
                self._late.append(_Marker(piece))
                return ""
        seen = min(self._left, len(piece))
        self._left -= seen
        return piece[seen:]

    def has_annotation(self, kind: str, text: str) -> bool:
        """Whether the annotation that comes now, of this kind and text, was shown before."""
        alike = (one for one in self._annotations if (one["type"], one["text"]) == (kind, text))
        found = next(alike, None)
        if found is not None:
            self._annotations.remove(found)
        return found is not None

    def placed(self, annotation: JSON) -> JSON | None:
        """Return a new annotation where it belongs; None if its marker is still to be shown."""
        for marker in self._late:
            if marker.text == annotation["text"] and marker.annotation is None:
                marker.annotation = annotation
                return None
        start = self._places.get(annotation["text"])
        return annotation if start is None else marked(annotation, start)

    def has_image(self) -> bool:
        """Whether the image that comes now was shown before."""
        was_shown = bool(self._images)
        self._images -= was_shown
        return was_shown

    def late(self) -> Iterator[tuple[str, JSON | None]]:
        """Yield the markers that belong into what was shown, once all of that has come again."""
        while self._late and not self._left:
            marker = self._late.pop(0)
            yield marker.text, marker.annotation


def marked(annotation: JSON, start: int) -> JSON:
    """Return an annotation of a marker that begins at another place."""
    return {**annotation, "start_index": start, "end_index": start + len(annotation["text"])}


def _value(part: JSON) -> str:
    return str(part[TEXT]["value"] if part["type"] == TEXT else part["refusal"])


def _annotations(part: JSON) -> list[JSON]:
    return list(part[TEXT]["annotations"]) if part["type"] == TEXT else []
