"""A search in one session of a Redis: newest messages first, in short steps.

The newest messages are looked through. For what is older the query engine, if there is one that
knows the session, says which blocks can hold the words; the result is the same without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from streamlit_assistant.history.redis_index import description_of

_NEWEST, _END = -1, -1
_ANY_FILLING = "*"
_MOST_AT_ONCE = 64  # blocks that the engine names at once
_NUMBERS = 5  # what the script returns before the bodies


@dataclass(frozen=True)
class Filling:
    """What a session holds: which filling it is, its full blocks, and how many are described."""

    name: str
    blocks: int
    indexed: int


class RedisSearch:
    """One search. `look` runs the script of that name with some arguments."""

    def __init__(
        self, look: Callable[[Sequence[Any]], Sequence[Any]], words: Sequence[str], limit: int
    ) -> None:
        self._look_up = look
        self._words = sorted(words, key=len, reverse=True)  # the longest is the rarest
        self._limit = limit
        self.filling = Filling(_ANY_FILLING, 0, 0)
        self.found: list[str] = []
        self.unknown = False  # the index does not know what it was told
        self.failed = False  # the index could not be asked

    def run(self, index: str | None, size: int) -> None:
        """Find the messages, looking through so many bytes in one step."""
        described = description_of(self._words) if index else ""
        index = index if described else None
        following = _NEWEST
        while True:
            left = self._limit - len(self.found)
            how = (size, left, index or "", described, min(_MOST_AT_ONCE, 2 * left))
            answer = self._look_up((self.filling.name, following, *how, *self._words))
            name, blocks, indexed, following, trouble = answer[:_NUMBERS]
            self.found += answer[_NUMBERS:]
            self.filling = Filling(name, blocks, indexed)
            self.unknown, self.failed = self.unknown or trouble == 1, self.failed or trouble == 2
            if trouble:
                index = None
            if following == _END or len(self.found) >= self._limit:
                return
