"""Page layer, pure: what one line of markdown begins, continues or ends."""

import re
from enum import StrEnum


class Kind(StrEnum):
    """What a block is, as far as cutting and drawing differ."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    RULE = "rule"
    LIST = "list"
    QUOTE = "quote"
    TABLE = "table"
    CODE = "code"  # its text is the code itself, without fence or indentation
    MATH = "math"  # a display formula with its delimiters
    HTML = "html"
    DEFINITIONS = "definitions"  # link targets, which other blocks refer to


_FENCE = re.compile(r"(?P<indent> {0,3})(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)$")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})$")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
# Within a paragraph "1986. A great year" is no list.
_ITEM_IN_PARAGRAPH = re.compile(r" {0,3}(?:[-*+]|1[.)])[ \t]+\S")
_QUOTE = re.compile(r" {0,3}>")
_TABLE_RULE = re.compile(
    r" {0,3}(?=.*[|:])[|]?[ \t]*:?-+:?[ \t]*(?:[|][ \t]*:?-+:?[ \t]*)*[|]?[ \t]*$"
)
# Not the footnotes, "[^1]: ...": they are shown as written.
_DEFINITION = re.compile(r" {0,3}\[(?P<label>(?!\^)[^\[\]]+)\]:[ \t]*\S")
_INDENTED = re.compile(r" {4}| {0,3}\t")
_CONTINUES_ITEM = re.compile(r" {2}|\t")

_BLOCK_TAGS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|"
    "dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|"
    "hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|"
    "search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
_HTML = re.compile(
    rf" {{0,3}}(?:</?(?:{_BLOCK_TAGS})(?:[\s/>]|$)|</?[a-z][a-z0-9-]*(?:\s[^<>]*)?/?>[ \t]*$)",
    re.IGNORECASE,
)
# These run on over blank lines, up to an end mark of their own.
_RAW_HTML = (
    (
        re.compile(r" {0,3}<(?:script|pre|style|textarea)(?:[\s>]|$)", re.IGNORECASE),
        re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE),
    ),
    (re.compile(r" {0,3}<!--"), re.compile(r"-->")),
    (re.compile(r" {0,3}<\?"), re.compile(r"\?>")),
    (re.compile(r" {0,3}<!\[CDATA\["), re.compile(r"\]\]>")),
)
_MATH = (
    (re.compile(r" {0,3}\$\$(?!.*\$\$)"), re.compile(r"\$\$[ \t]*$")),
    (re.compile(r" {0,3}\\\[(?!.*\\\])"), re.compile(r"\\\][ \t]*$")),
)
_SPANNING_HTML = tuple(start for start, _ in _RAW_HTML)
_SPANNING_MATH = tuple(start for start, _ in _MATH)
_INTERRUPTING = (
    _FENCE, _HEADING, _RULE, _QUOTE, _ITEM_IN_PARAGRAPH, *_SPANNING_HTML, *_SPANNING_MATH,
)  # fmt: skip
_BEGINNINGS: tuple[tuple[Kind, tuple[re.Pattern[str], ...]], ...] = (
    (Kind.CODE, (_FENCE, _INDENTED)),
    (Kind.HEADING, (_HEADING,)),
    (Kind.RULE, (_RULE,)),
    (Kind.LIST, (_ITEM,)),
    (Kind.QUOTE, (_QUOTE,)),
    (Kind.DEFINITIONS, (_DEFINITION,)),
    (Kind.HTML, (_HTML, *_SPANNING_HTML)),
    (Kind.MATH, _SPANNING_MATH),
)


def kind_of(line: str) -> Kind:
    """The block that a line begins where none is open."""
    for kind, patterns in _BEGINNINGS:
        if _matches(line, *patterns):
            return kind
    return Kind.PARAGRAPH


def interrupts(line: str) -> bool:
    """Whether the line begins a block of its own although no blank line went before."""
    if line.lstrip(" ").startswith("-") and not _ITEM_IN_PARAGRAPH.match(line):
        return False  # a row of dashes makes a heading of the paragraph above
    return _matches(line, *_INTERRUPTING)


def opening_fence(line: str) -> re.Match[str] | None:
    """The parts of a fence that opens code: `indent`, `marks` and `info`."""
    return _FENCE.match(line)


def closing_fence(marks: str) -> re.Pattern[str]:
    """What closes code opened by these marks: as many of them or more."""
    return re.compile(rf"^ {{0,3}}{re.escape(marks[0])}{{{len(marks)},}}[ \t]*$")


def is_half_fence(line: str) -> bool:
    """Whether the beginning of a line may yet become a fence."""
    return line.strip(" ") in ("`", "``", "~", "~~", "$", "\\")


def end_mark(line: str) -> re.Pattern[str] | None:
    """What ends the HTML or the formula begun by this line, unless a blank line or itself does."""
    for start, end in (*_RAW_HTML, *_MATH):
        if opening := start.match(line):
            return None if end.search(line, opening.end()) else end
    return None


def is_item(line: str) -> bool:
    """Whether the line is an item of a list."""
    return _ITEM.match(line) is not None


def continues_item(line: str) -> bool:
    """Whether the line is indented enough to belong to the item above, blank lines or not."""
    return _CONTINUES_ITEM.match(line) is not None


def is_quote(line: str) -> bool:
    """Whether the line is marked as quoted."""
    return _QUOTE.match(line) is not None


def is_rule(line: str) -> bool:
    """Whether the line is a horizontal rule."""
    return _RULE.match(line) is not None


def is_table_rule(line: str) -> bool:
    """Whether the line is the one between the head and the rows of a table."""
    return _TABLE_RULE.match(line) is not None


def is_indented(line: str) -> bool:
    """Whether the line is code by its indentation."""
    return _INDENTED.match(line) is not None


def defined_label(line: str) -> str | None:
    """The label whose link target the line defines, for comparing."""
    definition = _DEFINITION.match(line)
    return definition["label"].casefold() if definition else None


def outdented(line: str, columns: int) -> str:
    """The line without up to so many columns of indentation."""
    if columns == 4 and line.startswith("\t"):
        return line[1:]
    indent = len(line) - len(line.lstrip(" "))
    return line[min(indent, columns) :]


def _matches(line: str, *patterns: re.Pattern[str]) -> bool:
    return any(pattern.match(line) for pattern in patterns)
