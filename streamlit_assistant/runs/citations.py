"""Citations: where the model put the markers of the passages it was shown.

The marker stays in the text, as it did in the hosted service's answers: clients replace it by
whatever they show for the annotation that points at it.
"""

from collections.abc import Iterator, Mapping, Sequence

from streamlit_assistant.records import JSON
from streamlit_assistant.tools.citation_marker import CLOSES, LONGEST_MARKER, OPENS, PATTERN


class CitationFinder:
    """Finds markers in a text that comes in pieces. `sources`: the file id behind each number."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._open = ""  # from the last opening bracket on

    def feed(self, piece: str, end: int) -> Iterator[JSON]:
        """Yield the annotations that become whole with a piece; the text is `end` long with it."""
        if len(self._open) + len(piece) > end:
            self._open = ""  # another part of the message has begun
        if not self._open and OPENS not in piece:
            return
        text = self._open + piece
        start = end - len(text)
        for found in PATTERN.finditer(text):
            file_id = self._sources.get(found[1])
            if file_id is not None:  # a number the model made up is no citation
                yield {
                    "type": "file_citation",
                    "text": found[0],
                    "start_index": start + found.start(),
                    "end_index": start + found.end(),
                    "file_citation": {"file_id": file_id},
                }
        tail = text[text.rfind(OPENS) :] if OPENS in text else ""
        self._open = tail if CLOSES not in tail and len(tail) < LONGEST_MARKER else ""


def without_markers(text: str, annotations: Sequence[JSON]) -> str:
    """Return a message's text without what its annotations mark."""
    for annotation in sorted(annotations, key=_start, reverse=True):
        start, end = annotation["start_index"], annotation["end_index"]
        if text[start:end] == annotation["text"]:
            text = text[:start] + text[end:]
    return text


def _start(annotation: JSON) -> int:
    return int(annotation["start_index"])
