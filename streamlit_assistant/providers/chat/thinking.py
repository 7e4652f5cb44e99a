"""Tells what a model thinks from what it answers, where both come as one text between tags.

A thought stands at the beginning of an answer only. Once anything else was said, tags are text like
any other: somebody may have asked how they work. What could still become a tag is held back, at
most a tag's length; an answer that begins in another way is passed on at once.

Some models' templates write the opening tag into the prompt, so that the answer begins in the
middle of a thought. Text that was shown cannot be taken back, so this must be known beforehand: by
the model's name, or because an answer of it showed a lonely closing tag. Such a model's answer
counts as a thought until the closing tag comes. If none comes it was the answer after all, and is
said as a whole at the end: better twice, once as a thought, than never.
"""

import re
from collections.abc import Generator, Iterator

from streamlit_assistant.providers.base import ReasoningDelta, TextDelta

Said = TextDelta | ReasoningDelta

_TAGS = {"<think>": "</think>", "<thinking>": "</thinking>"}
_CLOSING = "</think>"
_ANY_OPENING = "<think"
_LONELY_CLOSING = f"\n{_CLOSING}\n"
_UNOPENED = re.compile(r"deepseek-?r1|r1-distill|qwq|thinking", re.IGNORECASE)


def leaves_tag_out(model: str) -> bool:
    """Whether a model is of those whose template opens the thought for them."""
    return _UNOPENED.search(model) is not None


class Thinking:
    """The text of one answer as it comes in."""

    def __init__(self, *, opened: bool = False) -> None:
        """`opened`: the answer is expected to begin within a thought."""
        self.left_tag_out: bool | None = None  # whether it did so; None: nothing says so or not
        self._opened = opened
        self._is_saying = False
        self._closing: str | None = None  # the tag that ends the thought
        self._held = ""  # what may be a tag's beginning
        self._blanks: list[str] = []  # before what comes next, a tag or the answer
        self._has_thought = False
        self._thought: list[str] = []  # in case it never ends
        self._tail: str | None = ""  # of the answer; None: its tags no longer tell anything

    def is_told_apart(self) -> None:
        """Take note that the server tells the thoughts apart: the text begins within none."""
        if not self._thought:
            self._opened = False

    def feed(self, text: str) -> Iterator[Said]:
        """Yield what can be told apart by now."""
        rest = self._held + text
        self._held = ""
        while rest and not self._is_saying:
            if self._closing is None:
                rest = self._begin(rest)
            else:
                rest = yield from self._think(rest, self._closing)
        if rest:
            self._watch(rest)
            yield TextDelta(rest)

    def end(self, *, rescue: bool) -> Iterator[Said]:
        """Yield what was held back; `rescue`: a thought that never ended is all that there is."""
        if self._is_saying:
            return
        if self._closing is None:
            if held := self._indent() + self._held:
                yield TextDelta(held)
            return
        if self._held:
            self._thought.append(self._held)
            yield ReasoningDelta(self._held)
        if self._opened:
            self.left_tag_out = False
        thought = "".join(self._thought)
        if thought and (self._opened or rescue):
            yield TextDelta(thought)

    def _begin(self, rest: str) -> str:
        """Look for an opening tag; return what follows what was dealt with."""
        text = rest.lstrip()
        if blanks := rest.removesuffix(text):
            self._blanks.append(blanks)
        for opening, closing in _TAGS.items():
            if text.startswith(opening):
                self._closing = closing
                self._opened = False
                self._blanks.clear()
                return text.removeprefix(opening)
        if any(opening.startswith(text) for opening in _TAGS):
            self._held = text  # or nothing but blanks so far
            return ""
        if self._opened:
            self._closing = _CLOSING
            return text
        self._is_saying = True
        return self._indent() + text

    def _indent(self) -> str:
        """Return the blanks that belong to the answer, not to what separates it from a thought."""
        blanks = "".join(self._blanks)
        self._blanks.clear()
        return blanks.rpartition("\n")[2] if self._has_thought else blanks

    def _think(self, rest: str, closing: str) -> Generator[Said, None, str]:
        thought, found, after = rest.partition(closing)
        if not found:
            held = _common_end(rest, closing)
            thought, self._held = rest[: len(rest) - held], rest[len(rest) - held :]
        if thought := thought if self._thought else thought.lstrip("\r\n"):
            self._thought.append(thought)
            yield ReasoningDelta(thought)
        if found:
            self.left_tag_out = True if self._opened else self.left_tag_out
            self._opened = False
            self._closing = None
            self._has_thought = True
            self._thought.clear()
        return after

    def _watch(self, text: str) -> None:
        """See whether an answer turns out to have begun with a thought."""
        if self._tail is None:
            return
        seen = self._tail + text
        before, closing, _ = seen.partition(_LONELY_CLOSING)
        if _ANY_OPENING in before:
            self._tail = None  # it speaks of tags
        elif closing:
            self._tail = None
            self.left_tag_out = True
        else:
            self._tail = seen[-len(_LONELY_CLOSING) :]


def _common_end(text: str, tag: str) -> int:
    """Return how many characters at the text's end could be the beginning of a tag."""
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(tag[:n])), 0)
