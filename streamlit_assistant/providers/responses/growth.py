"""A text of a streamed response while it grows: in pieces, whole at its end, or both.

Servers send the pieces, or only the whole, or lose some of the pieces. What was said once cannot be
taken back, so after a loss nothing is said until the whole is there.
"""

from streamlit_assistant.providers.responses.shapes import as_count
from streamlit_assistant.records import JSON
from streamlit_assistant.surrogates import mended, whole


class Growth:
    """One text. Each method returns what can be said now, so that all of it is said once."""

    def __init__(self, torn: bool = False) -> None:
        """`torn`: a piece of it may be missing."""
        self._said: list[str] = []
        self._held: list[str] = []  # came after a loss
        self._half = ""  # of a character that was cut in two
        self._torn = torn
        self._is_whole = False

    @property
    def said(self) -> str:
        """All that was said."""
        return "".join(self._said)

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return not self._said

    def tear(self) -> None:
        """Note that a piece may be missing."""
        self._torn = True

    def add(self, piece: str) -> str:
        """Take a piece."""
        if self._is_whole:
            return ""
        if self._torn:
            self._held.append(piece)
            return ""
        said, self._half = mended(self._half, piece)
        return self._say(said)

    def settle(self, text: str) -> str:
        """Take the whole text; an empty one says nothing about it."""
        if not text:
            return ""
        text, said = whole(text), self.said
        self._is_whole = True
        if not text.startswith(said):
            # The server has polished it since; what was said stays.
            return self.flush()
        self._held.clear()
        self._half = ""
        return self._say(text[len(said) :])

    def flush(self) -> str:
        """Take what there is for the whole."""
        rest = whole(self._half + "".join(self._held))
        self._held.clear()
        self._half = ""
        return self._say(rest)

    def _say(self, text: str) -> str:
        if text:
            self._said.append(text)
        return text


class Numbering:
    """The sequence numbers of the events. Not every server counts, and not every one by ones."""

    def __init__(self) -> None:
        self.last: int | None = None
        self._is_trusted = False  # once two numbers followed each other

    def notes_gap(self, event: JSON) -> bool:
        """Note an event; return whether others must have come before it and did not."""
        number, last = as_count(event.get("sequence_number")), self.last
        if number is None:
            return False
        self.last = number
        if last is None:
            return False
        self._is_trusted = self._is_trusted or number == last + 1
        return self._is_trusted and number > last + 1

    def has_seen(self, event: JSON) -> bool:
        """Return whether an event is one that has come already."""
        number = as_count(event.get("sequence_number"))
        return number is not None and self.last is not None and number <= self.last
