"""The words under which a text is found, the same for documents and for queries.

Words are folded (width, case, accents) and, where they are English, stemmed. Numbers, versions and
identifiers are kept whole, identifiers also in their parts. Scripts that put no space between words
(Han, Kana, Hangul, Thai …) are taken character by character and in overlapping pairs, so that a
word of two characters is found without knowing any words.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import Stemmer

from streamlit_assistant.files.stop_words import CHINESE, ENGLISH, PARTICLES

LONGEST_WORD = 64  # characters; what is longer was not written by people
MOST_CACHED = 200_000  # words

_SPACELESS = (
    "\u0e01-\u0e4e\u0e81-\u0ecd\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"  # Kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7a3"  # Hangul
)
_RUN = re.compile(f"[{_SPACELESS}]+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LETTER = rf"[^\W{_SPACELESS}]"
_WORD = re.compile(
    r"(?<![\w,])\d{1,3}(?:,\d{3}){1,5}(?!,?\d)(?:\.\d+)?"  # 1,000.5
    r"|\b[A-Za-z](?:\+\+|#)(?!\w)"  # C++, C#
    rf"|{_LETTER}+(?:[.@\-]{_LETTER}+)*"
)
_NUMBER = re.compile(r"\d[\d,.]*")
_JOINTS = re.compile(r"[._@\-]+")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ACCENTED = re.compile("[\u00c0-\u058f\u1e00-\u1fff]")
_MARKS = re.compile("[\u0300-\u036f]")
_STOP = re.compile("|".join(CHINESE))


@dataclass(frozen=True)
class QueryTerm:
    """A word of a query.

    `is_seam`: perhaps only the end of one word and the start of the next. `is_part`: only a
    character of one.
    """

    text: str
    is_seam: bool = False
    is_part: bool = False


class Analyzer:
    """Takes texts apart. It remembers words, and is not to be shared between threads."""

    def __init__(self) -> None:
        self._words = _Words()

    def of_text(self, text: str) -> str:
        """Return everything a piece of a document is found under, with spaces between."""
        if text.isascii():
            return " ".join(map(self._words.__getitem__, _WORD.findall(text)))
        text = unicodedata.normalize("NFKC", text)
        words = " ".join(map(self._words.__getitem__, _WORD.findall(text)))
        if not (runs := _RUN.findall(text)):
            return words
        return f"{words} {' '.join(''.join(runs))} {' '.join(_pairs(runs))}"

    def of_query(self, text: str) -> list[QueryTerm]:
        """Return what to look for: pairs for words without spaces, no stop words if others are."""
        text = unicodedata.normalize("NFKC", text)
        words = [word for word in _WORD.findall(text) if word.casefold() not in ENGLISH]
        found = [QueryTerm(term) for word in words for term in self._words[word].split()]
        found += _query_pairs(_RUN.findall(text))
        if not found:
            found = [QueryTerm(term) for term in self.of_text(text).split()]
        return list(dict.fromkeys(found))


def is_spaceless(text: str) -> bool:
    """Whether it is of a script that puts no space between words."""
    return _RUN.fullmatch(text) is not None


def parts(terms: Iterable[QueryTerm]) -> list[QueryTerm]:
    """Return the characters of pairs that mean something by themselves, each once."""
    pairs = [term.text for term in terms if len(term.text) == 2]
    signs = [sign for pair in pairs for sign in pair if _HAN.fullmatch(sign)]
    return [QueryTerm(sign, is_part=True) for sign in dict.fromkeys(signs) if sign not in PARTICLES]


def seam(left: str, right: str) -> str:
    """Return the pair that a cut between two pieces of one text takes from both, or nothing."""
    pair = left[-1:] + right[:1]
    return pair if len(pair) == 2 and _RUN.fullmatch(pair) else ""


class _Words(dict[str, str]):
    """The terms of each word that was met, with spaces between."""

    def __init__(self) -> None:
        self._stem = Stemmer.Stemmer("english").stemWord

    def __missing__(self, word: str) -> str:
        terms = " ".join(self._terms(word[:LONGEST_WORD]))
        if len(self) >= MOST_CACHED:
            self.clear()
        if len(word) <= LONGEST_WORD:
            self[word] = terms
        return terms

    def _terms(self, word: str) -> Iterator[str]:
        folded = _folded(word)
        if folded.isalpha():
            yield self._stem(folded)
        elif _NUMBER.fullmatch(folded):
            yield folded.replace(",", "")
            # Or it was two columns of a table.
            yield from (part for part in folded.split(",")[1:] if part[0] != "0")
            return
        # A hyphen between words only joins them; with figures, as in GPT-4, it makes a name.
        elif not folded.replace("-", "").isalpha():
            yield folded
        for part in dict.fromkeys(_parts(word)):
            if 1 < len(part) < len(word):
                yield self._stem(_folded(part))


def _folded(word: str) -> str:
    folded = word.casefold()
    if folded.isascii():
        return folded
    return _MARKS.sub("", _ACCENTED.sub(_without_accent, folded))


def _without_accent(match: re.Match[str]) -> str:
    return _MARKS.sub("", unicodedata.normalize("NFKD", match[0]))


def _parts(word: str) -> Iterator[str]:
    for part in _JOINTS.split(word):
        yield part
        if part.isascii() and not part.islower() and not part.istitle():
            yield from _HUMPS.findall(part)


def _pairs(runs: Iterable[str]) -> list[str]:
    line = "\n".join(runs)
    pairs = map("".join, pairwise(line))
    return [pair for pair in pairs if "\n" not in pair]


def _query_pairs(runs: Iterable[str]) -> Iterator[QueryTerm]:
    for run in runs:
        if len(run) == 1 and run not in PARTICLES:
            yield QueryTerm(run)
        for pair in _pairs(_STOP.split(run)):
            yield QueryTerm(pair, is_seam=not PARTICLES.isdisjoint(pair))
