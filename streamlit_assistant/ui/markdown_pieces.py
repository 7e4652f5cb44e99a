"""Page layer, pure: where a long block that still grows can be cut, for the time it grows.

A block is redrawn with every frame; one of thousands of tokens would cost time that grows with its
square. So what is settled of it is drawn once, as a piece, and only the rest is redrawn. The style
sheet makes the pieces look like one. When the block is finished it is drawn once more, whole.
"""

import re
from collections.abc import Iterator

from streamlit_assistant.ui.markdown_blocks import Block
from streamlit_assistant.ui.markdown_lines import Kind, kind_of

PIECE = 700  # characters: drawing so many takes a browser a few milliseconds
_LOOKAHEAD = 12  # characters that tell what the rest of a paragraph begins with
_TRIES = 8

_ITEM = re.compile(r"^(?P<indent> {0,3})(?:[-*+]|(?P<number>\d{1,9})[.)])[ \t]", re.MULTILINE)
_FENCE = re.compile(r"^[ >\t]*(?:`{3,}|~{3,})", re.MULTILINE)
_GAP = re.compile(r"\s+|(?<=[。，、；：！？…])")
_EVEN = tuple(re.compile(mark) for mark in (r"`+", r"\*+", r"~~", r"\$+", r"(?<!\w)_|_(?!\w)"))
_PAIRS = (("[", "]"), ("(", ")"))


def cut_point(block: Block, start: int) -> int:
    """Up to where the block, drawn up to `start` already, is settled; `start` if nowhere."""
    if len(block.text) - start <= PIECE:
        return start
    return next(_cuts(block, start), start)


def piece(block: Block, start: int, end: int | None = None) -> Block:
    """The part of the block between two cuts, as a block of its own."""
    text = block.text[start:end]
    if block.kind is Kind.TABLE and start:
        text = "\n".join([*block.text.split("\n", 2)[:2], text])
    if block.kind is Kind.PARAGRAPH and end is not None and text[-1:].isspace():
        text = f"{text.rstrip()}&#32;"  # a space that markdown does not strip
    return Block(block.kind, text, block.language, block.closed)


def _cuts(block: Block, start: int) -> Iterator[int]:
    match block.kind:
        case Kind.CODE:
            return _line_cuts(block.text, start)
        case Kind.TABLE:
            header_end = block.text.find("\n", block.text.find("\n") + 1) + 1
            return (cut for cut in _line_cuts(block.text, start) if cut > header_end > 0)
        case Kind.LIST:
            return _item_cuts(block.text, start)
        case Kind.PARAGRAPH:
            return _word_cuts(block.text, start)
    return iter(())


def _line_cuts(text: str, start: int) -> Iterator[int]:
    cut = text.rfind("\n", start) + 1
    if cut > start:
        yield cut


def _item_cuts(text: str, start: int) -> Iterator[int]:
    items = list(_ITEM.finditer(text, start))
    first = items[0] if items else None
    for item in reversed(items[1:]):
        if first is None or item["indent"] != first["indent"]:
            continue
        # A list numbered 1. 1. 1. counts by itself; cut, it would begin anew.
        counts = item["number"] is None or item["number"] != first["number"]
        if counts and len(_FENCE.findall(text, start, item.start())) % 2 == 0:
            yield item.start()
        return


def _word_cuts(text: str, start: int) -> Iterator[int]:
    gaps = [gap.end() for gap in _GAP.finditer(text, start + PIECE // 2, len(text) - _LOOKAHEAD)]
    for cut in reversed(gaps[-_TRIES:]):
        rest = text[cut:].split("\n", 1)[0]
        if _is_balanced(text[start:cut]) and kind_of(rest) is Kind.PARAGRAPH:
            yield cut


def _is_balanced(text: str) -> bool:
    return all(len(mark.findall(text)) % 2 == 0 for mark in _EVEN) and all(
        text.count(opening) == text.count(closing) for opening, closing in _PAIRS
    )
