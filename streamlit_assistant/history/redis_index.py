"""Blocks of messages as the query engine of a Redis knows them: by the pieces of their words.

The engine's own words would not find what a search has to find, "c++", half a word, "价格". So a
block is described by tags that stand for the pieces of its words, of three letters in ASCII and of
one and two in the many alphabets beyond; one that lacks a piece of a question cannot hold it. The
blocks that are left are looked through.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

from streamlit_assistant.history.history_errors import BadAddress, HistoryError, HistoryUnavailable

logger = logging.getLogger(__name__)

_TAGS = 0x3FFFF  # so many there are: pieces share them, which only costs a look too many
_MOST_TAGS = 32_768  # of a block; with more of them hardly a question could tell
_MOST_LETTERS = 400_000  # of the different words of a block
_ANY = "any"  # the tag of a block that may hold everything
_MOST_ASKED = 12  # pieces of a word in a question
_USUAL_WORD = 40  # letters; longer ones do not come again
_LOOK_AGAIN = 300.0  # seconds until a server without the engine is asked again
_FIELDS = {("s", "TAG"), ("n", "NUMERIC"), ("g", "TAG")}


def tags_of(texts: str) -> str:
    """Return what describes a block to the engine."""
    words = set(texts.replace("\0", " ").split())
    if sum(map(len, words)) > _MOST_LETTERS:
        return _ANY
    tags: set[str] = set()
    for word in words:
        tags.update(_tags_of_usual(word) if len(word) <= _USUAL_WORD else _tags_of_word(word))
    return _ANY if len(tags) > _MOST_TAGS else ",".join(tags)


def description_of(words: Sequence[str]) -> str:
    """Return what the engine is asked for: the blocks that may hold all words; "" for any."""
    asked: set[str] = set()
    for word in words:
        pieces = sorted(_pieces_of(word), key=len, reverse=True)
        asked.update(pieces[:_MOST_ASKED])
    if not asked:
        return ""
    tags = sorted(set(map(_tag, asked)))
    return f"({' '.join(f'@g:{{{tag}}}' for tag in tags)})|@g:{{{_ANY}}}"


def _pieces_of(word: str) -> set[str]:
    """Return the pieces of a word; those of each part of it are among them."""
    threes = {word[n : n + 3] for n in range(len(word) - 2)}
    if word.isascii():
        return threes
    twos = {word[n : n + 2] for n in range(len(word) - 1)}
    foreign = {piece for piece in {*word, *twos} if not piece.isascii()}
    return foreign | {piece for piece in threes if piece.isascii()}


def _tags_of_word(word: str) -> tuple[str, ...]:
    return tuple(map(_tag, _pieces_of(word)))


@lru_cache(maxsize=8192)
def _tags_of_usual(word: str) -> tuple[str, ...]:
    return _tags_of_word(word)


def _tag(piece: str) -> str:
    return f"{crc32(piece.encode()) & _TAGS:05x}"


class RedisIndex:
    """An index of the query engine for all sessions of a key prefix; there may be no engine."""

    def __init__(self, call: Callable[..., Any], name: str, prefix: str) -> None:
        """`call` sends a command, after the seconds for which it is to be patient."""
        self._call = call
        self.name = name
        self._prefix = prefix
        self._ready = False
        self._next_look = 0.0

    def ready(self, patience: float) -> bool:
        """Say whether there is an engine; make the index where there is none.

        Raises `BadAddress` if another index has its name.
        """
        if not self._ready and time.monotonic() >= self._next_look:
            self._ready = self._found(patience)
            self._next_look = time.monotonic() + _LOOK_AGAIN
        return self._ready

    def lost(self) -> None:
        """Look for the index again: it could not be asked."""
        self._ready, self._next_look = False, 0.0

    def _found(self, patience: float) -> bool:
        known = self._known(patience)
        if known is None and self._made(patience):
            return True
        # Another process may have been faster.
        known = known or self._known(patience)
        if known is not None:
            self._check(known)
        return known is not None

    def _known(self, patience: float) -> Any:
        try:
            return self._call(patience, "FT.INFO", self.name)
        except HistoryUnavailable:
            raise
        except HistoryError:
            return None

    def _made(self, patience: float) -> bool:
        schema = ("s", "TAG", "n", "NUMERIC", "SORTABLE", "g", "TAG", "SEPARATOR", ",")
        options = ("ON", "HASH", "PREFIX", 1, self._prefix)
        try:
            self._call(patience, "FT.CREATE", self.name, *options, "SCHEMA", *schema)
        except HistoryError as error:
            # There is one; or no engine, one of long ago, one that this user may not use: searches
            # do without.
            logger.debug("no search index is made: %s", error)
            return False
        return True

    def _check(self, known: Any) -> None:
        about = _named(known)
        definition = _named(about.get("index_definition", []))
        fields = {(one["attribute"], one["type"]) for one in map(_named, about["attributes"])}
        ours = definition.get("key_type") == "HASH" and definition.get("prefixes") == [self._prefix]
        if not ours or fields != _FIELDS:
            raise BadAddress(
                f"the search index {self.name} exists and is not one of these histories;"
                " choose another index_name"
            )


def _named(answer: Any) -> dict[str, Any]:
    """Return an answer of either protocol as names and values."""
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=False))
