"""Page layer: draws an answer while it is written, at a cost linear in its length."""

import time
from collections.abc import Callable

from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.chatbot import Waiting
from streamlit_assistant.ui.drawing import GrowingBlock
from streamlit_assistant.ui.markdown_blocks import Block, BlockSplitter
from streamlit_assistant.ui.markdown_lines import Kind
from streamlit_assistant.ui.texts import Texts
from streamlit_assistant.ui.transcript import answer_bubble

FRAMES_PER_SECOND = 28.0
BURST = 2.0  # frames that may follow each other at once, so that even batches are not held back
SLOWEST = 1.0  # seconds between two frames of a huge block; clicks come through with a frame
AT_ONCE = 0.2  # seconds in which an answer may begin before the page says that it waits
SILENCE = 2.0  # seconds without a word before the page says that it still waits


class Pacer:
    """Says when to draw: at once after a pause, and no faster than the eye can follow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._credit = BURST
        self._checked = clock()

    def allows(self, weight: float) -> bool:
        """Whether a frame may be drawn now; the next is delayed by as much as this one weighs."""
        now = self._clock()
        self._credit = min(BURST, self._credit + (now - self._checked) * FRAMES_PER_SECOND)
        self._checked = now
        if self._credit < 1.0:
            return False
        self._credit -= min(max(weight, 1.0), SLOWEST * FRAMES_PER_SECOND)
        return True


class AnswerView:
    """A growing answer in its place. Whatever it draws also lets the person's clicks through."""

    def __init__(
        self,
        place: DeltaGenerator,
        texts: Texts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        bubble = answer_bubble(place)
        self._blocks = bubble.container()
        self._status = bubble.empty()
        self._texts = texts
        self._clock = clock
        self._pacer = Pacer(clock)
        self._splitter = BlockSplitter()
        self._open: list[GrowingBlock] = []
        self._slots = 0
        self._undrawn = ""
        self._last_word: float | None = None

    def write(self, text: str) -> None:
        """Take in text; it is drawn now or, where that would be too often, with the next."""
        if self._last_word is None:
            self._status.empty()
        self._last_word = self._clock()
        self._undrawn += text
        if self._pacer.allows(sum(block.weight for block in self._open)):
            self._draw()

    def wait(self, waiting: Waiting) -> None:
        """Show that the answer is still being worked at, or what it waits for."""
        self._draw()
        elapsed = waiting.elapsed
        if self._last_word is None and elapsed < AT_ONCE:
            self._status.empty()
        elif self._last_word is None:
            words = self._waiting_words(waiting)
            seconds = self._texts("status.seconds", seconds=int(elapsed)) if elapsed >= 1 else ""
            self._status.markdown(f":shimmer[{words}] {seconds}")
        elif self._clock() - self._last_word > SILENCE:
            self._status.markdown(f":shimmer[{self._texts('status.writing')}]")
        else:
            self._status.empty()

    def _waiting_words(self, waiting: Waiting) -> str:
        if waiting.resting is not None:
            return self._texts("status.resting")
        if waiting.status != "queued":
            return self._texts("status.thinking")
        if waiting.position is None or waiting.position < 2:  # nobody is ahead
            return self._texts("status.queued")
        return self._texts("status.queued_behind", ahead=waiting.position - 1)

    def break_off(self) -> None:
        """Show what there is as it will stay, and no longer that more is to come."""
        self._draw()
        for block, growing in zip(self._growing(), self._open, strict=False):
            growing.finish(block)
        (self._place if self._last_word is None else self._status).empty()

    def _draw(self) -> None:
        done = self._splitter.feed(self._undrawn)
        self._undrawn = ""
        for block in filter(_is_visible, done):
            self._slot(0).finish(block)
            self._open.pop(0)
        growing = self._growing()
        for index, block in enumerate(growing):
            self._slot(index).grow(block)
        self._open[len(growing) :] = [block.cleared() for block in self._open[len(growing) :]]

    def _growing(self) -> list[Block]:
        return list(filter(_is_visible, self._splitter.tail()))

    def _slot(self, index: int) -> GrowingBlock:
        if index == len(self._open):
            self._open.append(GrowingBlock(self._blocks.empty(), f"growing-{self._slots}"))
            self._slots += 1
        return self._open[index]


def _is_visible(block: Block) -> bool:
    return block.kind is not Kind.DEFINITIONS
