"""Page layer, pure: cuts an answer into markdown blocks that can be drawn one by one.

A cut is made only where CommonMark itself ends a block, so that the blocks drawn one below the
other look like the whole. What streams in and what is read back later is cut by the same rules.
"""

import re
from dataclasses import dataclass, field, replace

from streamlit_assistant.ui.markdown_lines import (
    Kind,
    closing_fence,
    continues_item,
    defined_label,
    end_mark,
    interrupts,
    is_half_fence,
    is_indented,
    is_item,
    is_quote,
    is_rule,
    is_table_rule,
    kind_of,
    opening_fence,
    outdented,
)

_REFERENCE = re.compile(r"\[([^\[\]]+)\]")


@dataclass(frozen=True)
class Block:
    """One block; `closed` says whether its fence or formula has met its end."""

    kind: Kind
    text: str
    language: str = ""
    closed: bool = True


def split_blocks(text: str) -> list[Block]:
    """Cut a whole answer; blocks that refer to link targets carry these at their end."""
    splitter = BlockSplitter()
    blocks = splitter.feed(text) + splitter.tail()
    if blocks and blocks[-1].kind is Kind.MATH and not blocks[-1].closed:
        # Nothing ever closed it: two dollar signs, but no formula.
        blocks[-1:] = _split_without_math(blocks[-1].text)
    targets = _targets(blocks)
    return [_with_targets(block, targets) for block in blocks if block.kind is not Kind.DEFINITIONS]


class BlockSplitter:
    """Cuts an answer while it grows; every line is looked at once."""

    def __init__(self) -> None:
        self._open = _OpenBlock()
        self._line = ""

    def feed(self, text: str) -> list[Block]:
        """Take in more text and return the blocks that nothing to come can change."""
        done: list[Block] = []
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._open = self._open.take(line.rstrip("\r"), done)
        return done

    def tail(self) -> list[Block]:
        """What is still growing, cut as if the text ended here: mostly one block, at times two."""
        done: list[Block] = []
        growing = self._open
        # Half a fence would flicker as text before it becomes one.
        if self._line and not is_half_fence(self._line):
            growing = replace(growing, lines=growing.lines.copy()).take(self._line, done)
        last = growing.block()
        return [*done, last] if last else done


@dataclass
class _OpenBlock:
    """The lines of the block being read, and what would end it."""

    kind: Kind | None = None
    lines: list[str] = field(default_factory=list)
    blanks: int = 0  # seen since the last line; they count only if the block goes on
    language: str = ""
    indent: int = 0
    end: re.Pattern[str] | None = None

    def take(self, line: str, done: list[Block]) -> "_OpenBlock":
        """Read one more line; finished blocks go to `done`, the block then open is returned."""
        if self.end is not None:
            return self._take_until(self.end, line, done)
        if not line.strip():
            return self._take_blank(done)
        if self.kind is None:
            return self._begin(line, done)
        if self._goes_on(line):
            self._append(line)
            return self
        self._finish(done)
        return _OpenBlock()._begin(line, done)

    def block(self) -> Block | None:
        """What was read so far."""
        if self.kind is None:
            return None
        return Block(self.kind, "\n".join(self.lines), self.language, closed=self.end is None)

    def _take_until(self, end: re.Pattern[str], line: str, done: list[Block]) -> "_OpenBlock":
        ends = end.search(line) is not None
        if self.kind is not Kind.CODE:
            self.lines.append(line)
        elif not ends:
            self.lines.append(outdented(line, self.indent))
        if not ends:
            return self
        self.end = None
        return self._finish(done)

    def _take_blank(self, done: list[Block]) -> "_OpenBlock":
        if self.kind in (Kind.LIST, Kind.CODE):
            self.blanks += 1
            return self
        return self._finish(done)

    def _begin(self, line: str, done: list[Block]) -> "_OpenBlock":
        self.kind = kind_of(line)
        if self.kind is Kind.CODE and (fence := opening_fence(line)):
            self.end = closing_fence(fence["marks"])
            self.language = (fence["info"].split() or [""])[0]
            self.indent = len(fence["indent"])
            return self
        if self.kind in (Kind.MATH, Kind.HTML):
            self.end = end_mark(line)
        self.lines.append(outdented(line, 4) if self.kind is Kind.CODE else line)
        return self._finish(done) if self.kind in (Kind.HEADING, Kind.RULE) else self

    def _goes_on(self, line: str) -> bool:
        match self.kind:
            case Kind.LIST:
                return self._list_goes_on(line)
            case Kind.CODE:  # by indentation; a fence has an end mark and does not come here
                return is_indented(line)
            case Kind.DEFINITIONS:
                return defined_label(line) is not None
            case Kind.HTML:
                return True
            case Kind.QUOTE if is_quote(line):
                return True
        return not interrupts(line)

    def _list_goes_on(self, line: str) -> bool:
        if continues_item(line):
            return True
        if is_rule(line):
            return False
        return is_item(line) or not (self.blanks or interrupts(line))

    def _append(self, line: str) -> None:
        self.lines += [""] * self.blanks
        self.blanks = 0
        self.lines.append(outdented(line, 4) if self.kind is Kind.CODE else line)
        if self.kind is Kind.PARAGRAPH and len(self.lines) == 2:
            header, rule = self.lines
            if "|" in header and is_table_rule(rule):
                self.kind = Kind.TABLE

    def _finish(self, done: list[Block]) -> "_OpenBlock":
        if block := self.block():
            done.append(block)
        return _OpenBlock()


def _split_without_math(text: str) -> list[Block]:
    first, *rest = text.split("\n")
    open_block, done = _OpenBlock(Kind.PARAGRAPH, [first]), list[Block]()
    for line in rest:
        open_block = open_block.take(line, done)
    last = open_block.block()
    return [*done, last] if last else done


def _targets(blocks: list[Block]) -> dict[str, str]:
    lines = [
        line
        for block in blocks
        if block.kind is Kind.DEFINITIONS
        for line in block.text.split("\n")
    ]
    # Backwards, because the first of two equal labels counts.
    return {label: line for line in reversed(lines) if (label := defined_label(line))}


def _with_targets(block: Block, targets: dict[str, str]) -> Block:
    if not targets or block.kind in (Kind.CODE, Kind.MATH, Kind.HTML):
        return block
    labels = dict.fromkeys(label.casefold() for label in _REFERENCE.findall(block.text))
    lines = [targets[label] for label in labels if label in targets]
    return replace(block, text="\n\n".join([block.text, *lines])) if lines else block
