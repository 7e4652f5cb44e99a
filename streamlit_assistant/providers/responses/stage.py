"""What has been shown of an answer: which message is being written, how long it is, the calls."""

from collections.abc import Iterator
from typing import Protocol

from streamlit_assistant.providers.base import (
    Delta,
    MessageStart,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from streamlit_assistant.records import new_id

BETWEEN_THOUGHTS = "\n\n"


class Speaker(Protocol):
    """A message."""

    def conclude(self) -> Iterator[Delta]:
        """Say what is only said at the end; nothing the second time."""
        ...


class Unsettled(Protocol):
    """A call whose result is still to come."""

    def settle(self) -> Iterator[Delta]:
        """Give the result, as far as it is known; nothing the second time."""
        ...


class Stage:
    """Keeps the order in which things may be shown, over all items of an answer.

    `position` counts the characters of the text that is being written; `run` changes when another
    begins, because there is another message, or something between.
    """

    def __init__(self) -> None:
        self.position = 0
        self.run = 0
        self.has_spoken = False
        self.excuses: list[str] = []  # said where the model says nothing
        self._speaker: Speaker | None = None
        self._unsettled: list[Unsettled] = []
        self._calls = 0
        self._ids: set[str] = set()
        self._has_thought = False

    def speak(self, speaker: Speaker) -> Iterator[Delta]:
        """Let a message have the word: what was called before it is settled first."""
        yield from self.settle()
        if speaker is self._speaker:
            return
        if self._speaker is not None:
            yield from self._speaker.conclude()
            yield MessageStart()
            self.interrupt()
        self._speaker = speaker

    def say(self, text: str) -> Iterator[Delta]:
        """Say text."""
        self.has_spoken = True
        self.position += len(text)
        yield TextDelta(text)

    def refuse(self, text: str) -> Iterator[Delta]:
        """Say a refusal."""
        self.has_spoken = True
        self.interrupt()
        yield RefusalDelta(text)

    def show_image(self) -> None:
        """Note that an image is shown."""
        self.has_spoken = True
        self.interrupt()

    def think(self, text: str, is_new: bool) -> Iterator[Delta]:
        """Say a thought; `is_new`: it begins here."""
        between = BETWEEN_THOUGHTS if is_new and self._has_thought else ""
        self._has_thought = True
        yield ReasoningDelta(between + text)

    def pause(self) -> Iterator[Delta]:
        """End the text that is being written, because something is called."""
        if self._speaker is not None:
            yield from self._speaker.conclude()
        self.interrupt()

    def enrol(self, call_id: str, result: Unsettled | None = None) -> tuple[int, str]:
        """Return index and id of a new call. `result`: what will settle it."""
        # Two calls with one id could not be told apart by whoever answers them.
        unique = call_id if call_id and call_id not in self._ids else new_id("call")
        self._ids.add(unique)
        if result is not None:
            self._unsettled.append(result)
        self._calls += 1
        return self._calls - 1, unique

    def settle(self) -> Iterator[Delta]:
        """Give the results that are still to come."""
        waiting, self._unsettled = self._unsettled, []
        for call in waiting:
            yield from call.settle()

    def excuse(self) -> Iterator[Delta]:
        """Say why nothing was said, if nothing was and there is a reason."""
        if self.excuses and not self.has_spoken:
            yield from self.say("\n\n".join(self.excuses))

    def interrupt(self) -> None:
        """Note that what is said from here on is another text."""
        self.position = 0
        self.run += 1
