"""What every store keeps of a message, and how its text is searched: the same way everywhere.

It knows neither LangChain nor any store, so that a server without LangChain can fill them too.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamlit_assistant.surrogates import whole

LONGEST_NAME = 200  # bytes of a session's or a message's name in a store; longer ones are hashed
_HASHED_TAIL = 40  # characters of the hash that stands for the rest
_ACCENTS = range(0x0300, 0x0370)  # not all combining marks: those of Japanese make other letters


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as stores keep it.

    `key` is its id, or one made for it: a session holds each key once. `body` is the message as
    JSON, `{"type": …, "data": {…}}` as LangChain writes it, without what is at its default, and
    `text` what it says, folded for searching.
    """

    key: str
    body: str
    text: str


class MessageLog(Protocol):
    """The messages of one session in one store, in the order in which they were written.

    Every method raises `HistoryUnavailable` where the store does not answer in time. A log may be
    used by several threads at once, and several logs of a session by several processes.
    """

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries at the end, all of them in their order, without those it holds already.

        It may be done again after a failure: what the first try has written is not doubled.
        Raises `MessageRefused` for what the store will never take.
        """

    def read(self) -> Sequence[str]:
        """Return the bodies of all messages, oldest first."""

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        """Return at most `limit` bodies, newest first, whose folded text holds all words."""

    def remove(self, keys: Collection[str]) -> None:
        """Remove these messages for good: they are not taken again. Unknown keys do no harm."""

    def clear(self) -> None:
        """Remove all messages; those that follow begin a new history."""

    def close(self) -> None:
        """Give back what this log shares with others. It must not be used afterwards."""


def distinct(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries in their order, of those with the same key the first."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.key, entry)
    return list(first.values())


def fold(text: str) -> str:
    """Return a text as it is searched: without case, accents and the width of letters.

    What no store can keep in a text, NUL and half of a surrogate pair, becomes U+FFFD.
    """
    if text.isascii():
        return text.lower().replace("\0", "\ufffd")
    letters = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in letters if ord(letter) not in _ACCENTS).casefold()
    return whole(bare.replace("\0", "\ufffd"))


def search_words(text: str) -> list[str]:
    """Return the folded words of a question, each once; none if it is blank."""
    return list(dict.fromkeys(fold(text).split()))


def matching(texts: Sequence[str], words: Sequence[str], limit: int) -> list[int]:
    """Return which texts hold all words: at most `limit` of their positions, the last one first."""
    found: list[int] = []
    for position in range(len(texts) - 1, -1, -1):
        if len(found) >= limit:
            break
        if all(word in texts[position] for word in words):
            found.append(position)
    return found


def stored_name(name: str) -> str:
    """Return a name of any length and alphabet as one that every store can keep, and tell apart."""
    raw = name.encode("utf-8", "backslashreplace")
    if len(raw) <= LONGEST_NAME and b"\0" not in raw and raw == name.encode("utf-8", "ignore"):
        return name
    digest = hashlib.sha256(raw).hexdigest()[:_HASHED_TAIL]
    beginning = raw[: LONGEST_NAME - _HASHED_TAIL - 1].replace(b"\0", b"").decode("utf-8", "ignore")
    return f"{beginning}~{digest}"
