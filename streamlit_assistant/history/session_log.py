"""A log in a mapping, such as the state of a Streamlit session: plain data under one name."""

import threading
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any, Protocol

from streamlit_assistant.history.entries import Entry, matching
from streamlit_assistant.history.history_errors import HistoryError

FORM = "streamlit-assistant-history"  # says whose data it is

# Reading and writing are two steps, and one session may have several threads. Held for moments.
_WRITING = threading.Lock()


class State(Protocol):
    """A mapping, as far as a log needs one."""

    def __contains__(self, key: object, /) -> bool: ...

    def __getitem__(self, key: str, /) -> Any: ...

    def __setitem__(self, key: str, value: Any, /) -> None: ...


class SessionLog:
    """The messages under one name of a mapping, which is looked at anew every time.

    `messages` has body and text by key, in order. It is changed in one step, so whoever is
    interrupted has either written or not.
    """

    def __init__(self, state: State, name: str) -> None:
        """`state` may be another mapping for each who asks; logs of one name share it."""
        self._state = state
        self._name = name

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries at the end, without those the session has had already."""
        with _WRITING:
            held = self._held()
            known, removed = held["messages"], held["removed"]
            new: dict[str, list[str]] = {}
            for entry in entries:
                if entry.key not in known and entry.key not in removed:
                    new.setdefault(entry.key, [entry.body, entry.text])
            if known:
                known.update(new)
            elif new:
                self._put(new, removed)

    def read(self) -> Sequence[str]:
        """Return the bodies of all messages, oldest first."""
        return [body for body, _ in list(self._held()["messages"].values())]

    def made(self, make: Callable[[str], Any]) -> list[Any]:
        """Return what is made of every body. It is made once, and kept beside the messages."""
        with _WRITING:
            held = self._held()
            made: list[Any] = held["made"]
            # In one step: whoever is interrupted has added all or nothing.
            made += [make(body) for body, _ in islice(held["messages"].values(), len(made), None)]
            return list(made)

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        """Return at most `limit` bodies, newest first, whose folded text holds all words."""
        known = list(self._held()["messages"].values())
        found = matching([text for _, text in known], words, limit)
        return [known[position][0] for position in found]

    def remove(self, keys: Collection[str]) -> None:
        """Remove these messages for good. Unknown keys do no harm."""
        with _WRITING:
            held = self._held()
            known = held["messages"]
            gone = [key for key in keys if key in known]
            if gone:
                left = {key: kept for key, kept in known.items() if key not in gone}
                self._put(left, {**held["removed"], **dict.fromkeys(gone, True)})

    def clear(self) -> None:
        """Remove all messages; those that follow begin a new history."""
        with _WRITING:
            if self._name in self._state:
                self._held()  # raises where it is somebody else's
                self._put({}, {})

    def close(self) -> None:
        """Do nothing: the messages stay as long as the session."""

    def _held(self) -> dict[str, Any]:
        try:
            held = self._state[self._name]
        except KeyError:
            return _new({}, {})
        if not isinstance(held, dict) or held.get("form") != FORM:
            raise HistoryError(
                f"something else is stored under {self._name!r} already; give the history another "
                "key"
            )
        return held

    def _put(self, messages: dict[str, list[str]], removed: dict[str, bool]) -> None:
        self._state[self._name] = _new(messages, removed)


def _new(messages: dict[str, list[str]], removed: dict[str, bool]) -> dict[str, Any]:
    return {"form": FORM, "messages": messages, "removed": removed, "made": []}
