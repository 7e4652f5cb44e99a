"""Cuts a text into overlapping chunks of at most so many tokens.

Tokens are those of `cl100k_base`, which OpenAI's embedding models count in. The text is first taken
apart into small units; a chunk is a row of units, and so is what it shares with the one before.
Cuts are made where they hurt least: between paragraphs, sentences, clauses, words.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import toktok

from streamlit_assistant.file_records import NewChunk
from streamlit_assistant.files.terms import Analyzer, seam
from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

MOST_TOKENS = 5_000_000  # of one document
CHUNK_TOKENS = 800
OVERLAP_TOKENS = 400
FULL = 0.75  # a chunk may end early for a better cut, but not before so much of it is filled
SHARED = 0.6  # the same for how much of the overlap is used
SHORTEST_UNIT = 8  # tokens
CHARACTERS_A_TOKEN = 16  # more than any text of words has, so that little is counted twice

WORD, CLAUSE, SENTENCE, PARAGRAPH = range(4)  # how good the cut behind a unit is

_ENDS = re.compile(
    r"(?P<paragraph>\n[^\S\n]*\n\s*)"
    r"|(?P<sentence>(?<![.!?…])[.!?…]+[\"'”’)\]]*(?=\s)|[。！？；]+[”’」』）】\"]*)"
    r"|(?P<line>\n)"
)
_WORDS = re.compile(r"\s*[^\s,;:，、：]*(?:[,;:，、：]+|(?=\s)|$)")
_CLAUSE_MARKS = tuple(",;:，、：")
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


@dataclass(frozen=True, slots=True)
class _Unit:
    """A piece of the text up to `end`, and how good the cut there is."""

    start: int
    end: int
    tokens: int
    cut: int


def chunk(text: str, max_tokens: int, overlap_tokens: int, analyzer: Analyzer) -> list[NewChunk]:
    """Return the chunks of a text in order; raise `Unreadable` if it has too many tokens."""
    units = list(_units(text, max(SHORTEST_UNIT, (overlap_tokens or max_tokens) // 4)))
    totals = list(accumulate((unit.tokens for unit in units), initial=0))
    if totals[-1] > MOST_TOKENS:
        raise Unreadable(INVALID_FILE, f"The file holds more than {MOST_TOKENS:,} tokens of text.")
    terms = _terms(text, units, analyzer)
    return [
        NewChunk(piece.strip(), " ".join(terms[first:end]), units[first].start + _indent(piece))
        for first, end in _rows(text, units, totals, max_tokens, overlap_tokens)
        if (piece := text[units[first].start : units[end - 1].end]).strip()
    ]


def _indent(piece: str) -> int:
    return len(piece) - len(piece.lstrip())


def _terms(text: str, units: Sequence[_Unit], analyzer: Analyzer) -> list[str]:
    # Chunks overlap: the words of what they share are looked for only once.
    terms = [analyzer.of_text(text[unit.start : unit.end]) for unit in units]
    for number, unit in enumerate(units):
        if unit.cut == WORD and (pair := seam(text[unit.start : unit.end], text[unit.end :][:1])):
            terms[number] += f" {pair}"
    return terms


def _rows(
    text: str, units: Sequence[_Unit], totals: Sequence[int], most: int, overlap: int
) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(units):
        end = _end(units, totals, first, most)
        # Tokens mostly grow together over a cut, but now and then one is added.
        while end > first + 1 and _size(text, units, first, end) > most:
            end -= 1
        yield first, end
        if end == len(units):
            return
        first = _next_first(units, totals, first, end, overlap)
        while first < end and _size(text, units, first, end) > overlap:
            first += 1


def _size(text: str, units: Sequence[_Unit], first: int, end: int) -> int:
    return _count(text[units[first].start : units[end - 1].end].strip())


def _end(units: Sequence[_Unit], totals: Sequence[int], first: int, most: int) -> int:
    last = bisect_right(totals, totals[first] + most, lo=first + 1) - 1
    if last >= len(units):
        return len(units)
    earliest = bisect_left(totals, totals[first] + most * FULL, lo=first + 1, hi=last + 1)
    ends = range(max(last, first + 1), max(earliest, first + 1) - 1, -1)
    return max(ends, key=lambda end: units[end - 1].cut, default=max(last, first + 1))


def _next_first(
    units: Sequence[_Unit], totals: Sequence[int], first: int, end: int, overlap: int
) -> int:
    if not overlap:
        return end
    earliest = bisect_left(totals, totals[end] - overlap, lo=first + 1, hi=end)
    latest = bisect_right(totals, totals[end] - overlap * SHARED, lo=first + 1, hi=end + 1) - 1
    starts = range(earliest, max(latest, earliest) + 1)
    return max(starts, key=lambda start: units[start - 1].cut)


def _units(text: str, most: int) -> Iterator[_Unit]:
    ends = _ends(text)
    starts = [0, *(end for end, _ in ends[:-1])]
    pieces = [text[start:end] for start, (end, _) in zip(starts, ends, strict=True)]
    tokens = _counts(pieces)
    # One count for all of them: asking for each takes longer than counting.
    words = [
        _words(piece) if size > most else [] for piece, size in zip(pieces, tokens, strict=True)
    ]
    sizes = iter(_counts(chain.from_iterable(words)))
    for start, (end, cut), size, parts in zip(starts, ends, tokens, words, strict=True):
        if parts:
            yield from _packed(_short(zip(parts, sizes, strict=False), most), start, most, cut)
        else:
            yield _Unit(start, end, size, cut)


def _ends(text: str) -> list[tuple[int, int]]:
    ends: list[tuple[int, int]] = []
    for match in _ENDS.finditer(text):
        end, cut = match.end(), _CUTS[match.lastgroup or "line"]
        if ends and text[ends[-1][0] : end].isspace():
            cut = max(cut, ends.pop()[1])
        ends.append((end, cut))
    if not ends or ends[-1][0] < len(text):
        ends.append((len(text), PARAGRAPH))
    return ends


_CUTS = {"paragraph": PARAGRAPH, "sentence": SENTENCE, "line": CLAUSE}


def _words(text: str) -> list[str]:
    return [word for word in _WORDS.findall(text) if word]


def _packed(
    pieces: Iterable[tuple[str, int]], start: int, most: int, last_cut: int
) -> Iterator[_Unit]:
    """Join the words of a unit that is too large while they fit, up to a comma at best."""
    filled, begin, position = 0, start, start
    for piece, tokens in pieces:
        if filled and filled + tokens > most:
            yield _Unit(begin, position, filled, WORD)
            begin, filled = position, 0
        position += len(piece)
        filled += tokens
        if piece.endswith(_CLAUSE_MARKS) and filled * 2 > most:
            yield _Unit(begin, position, filled, CLAUSE)
            begin, filled = position, 0
    if filled:
        yield _Unit(begin, position, filled, last_cut)


def _short(words: Iterable[tuple[str, int]], most: int) -> Iterator[tuple[str, int]]:
    """Cut what is written without spaces, such as Chinese, or is no writing at all."""
    for word, tokens in words:
        if tokens <= most:
            yield word, tokens
            continue
        at = 0
        while at < len(word):
            window = word[at : at + most * CHARACTERS_A_TOKEN]
            kept, size = toktok.truncate(window, most)
            end = _whole(window, len(kept))
            yield window[:end], min(size, most)
            at += end


def _whole(window: str, size: int) -> int:
    """Return where to cut so that a character keeps its marks and an emoji stays one."""
    at = size
    while 0 < at < len(window) and (
        unicodedata.combining(window[at]) or not _JOINERS.isdisjoint(window[at - 1 : at + 1])
    ):
        at -= 1
    return at or max(size, 1)


def _count(text: str) -> int:
    return _counts([text])[0]


def _counts(texts: Iterable[str]) -> list[int]:
    counts: list[int] = toktok.batch_count(texts, "cl100k_base", threads=1)
    return counts
