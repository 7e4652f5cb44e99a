"""Page layer: draws blocks, whole or growing. Nothing from an answer is ever drawn as HTML."""

from dataclasses import replace

from streamlit.delta_generator import DeltaGenerator

from streamlit_assistant.ui.markdown_blocks import Block, split_blocks
from streamlit_assistant.ui.markdown_lines import Kind
from streamlit_assistant.ui.markdown_pieces import PIECE, cut_point, piece
from streamlit_assistant.ui.markdown_text import (
    for_streamlit,
    formula,
    mended,
    table_for_streamlit,
)

COSTLY = (Kind.CODE, Kind.TABLE, Kind.MATH)  # to draw, for a browser
SMOOTH = 16_000  # characters of what is cheap to draw, drawn with every frame without a hitch


def draw_answer(place: DeltaGenerator, text: str) -> None:
    """Draw a finished answer, as the same text streamed in was drawn."""
    for block in split_blocks(text):
        draw_block(place, block)


def draw_block(place: DeltaGenerator, block: Block) -> None:
    """Draw one block as one element."""
    match block.kind:
        case Kind.CODE:
            place.code(block.text, language=block.language or None)
        case Kind.MATH if not block.closed:
            place.code(block.text, language="latex")
        case Kind.MATH:
            place.markdown(formula(block.text))
        case Kind.HTML:
            place.text(block.text)
        case Kind.TABLE:
            place.markdown(table_for_streamlit(block.text))
        case _:
            place.markdown(for_streamlit(block.text), anchors=False)


class GrowingBlock:
    """One block in its slot; redraws no more than the last piece of it."""

    def __init__(self, slot: DeltaGenerator, key: str) -> None:
        self._slot = slot
        self._key = key
        self._shown: Block | None = None
        self._pieces: DeltaGenerator | None = None
        self._last = slot
        self._settled = 0

    @property
    def weight(self) -> float:
        """What redrawing it costs, in frames of an ordinary block."""
        if self._shown is None:
            return 0.0
        growing = len(self._shown.text) - self._settled
        return growing / (PIECE if self._shown.kind in COSTLY else SMOOTH)

    def grow(self, block: Block) -> None:
        """Draw the block as far as it has come."""
        if block == self._shown:
            return
        if self._shown and self._shown.kind is not block.kind:
            self._pieces, self._last, self._settled = None, self._slot, 0
        self._shown = block
        cut = cut_point(block, self._settled)
        if cut > self._settled:
            self._settle(block, cut)
        if len(block.text) > self._settled or not self._pieces:
            rest = piece(block, self._settled)
            draw_block(self._last, replace(rest, text=_mended(rest)))

    def finish(self, block: Block) -> None:
        """Draw the block as it will stay."""
        if self._pieces or block != self._shown:
            draw_block(self._slot, block)

    def cleared(self) -> "GrowingBlock":
        """Draw nothing here: what looked like a block was a part of the one before."""
        self._slot.empty()
        return GrowingBlock(self._slot, self._key)

    def _settle(self, block: Block, cut: int) -> None:
        if self._pieces is None:
            self._pieces = self._slot.container(key=f"{self._key}-{block.kind}", gap=None)
            self._last = self._pieces.empty()
        draw_block(self._last, piece(block, self._settled, cut))
        self._settled, self._last = cut, self._pieces.empty()


def _mended(block: Block) -> str:
    return block.text if block.kind in (Kind.CODE, Kind.MATH, Kind.HTML) else mended(block.text)
