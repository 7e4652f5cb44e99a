"""Puts function calls together from the pieces in which model servers send them.

No two servers agree. OpenAI numbers the calls and sends their arguments in pieces. Ollama sends
whole calls, all with the number 0; Gemini sends no numbers; others no ids. A piece belongs to the
call of its number, else of its id, else to the one before it, unless it shows by an id, a name or
by following a whole call that it opens another.

A call is announced with its first arguments, or at the end if it has none: whoever acts on the end
of a call must not meet one that is still empty.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import CallArguments, CallStart
from streamlit_assistant.records import JSON, new_id
from streamlit_assistant.surrogates import mended, whole

Piece = CallStart | CallArguments

_KNOWN = frozenset({"index", "id", "type", "function"})


@dataclass
class _Call:
    number: int | None = None  # under which the server opened it
    id: str = ""  # as the server gave it; it may come late, or never
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    half: str = ""  # of a character that was cut in two
    extra: JSON = field(default_factory=dict)  # what the protocol does not know
    index: int | None = None  # once it is announced

    def add(self, arguments: str) -> str:
        """Take arguments in; return what can be said of them now."""
        said, self.half = mended(self.half, arguments)
        if said:
            self.arguments.append(said)
        return said

    @property
    def text(self) -> str:
        """Its arguments so far."""
        return "".join(self.arguments)

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a whole JSON object, to which nothing can be added."""
        last = self.arguments[-1].rstrip() if self.arguments else "-"
        if last and not last.endswith("}"):
            return False  # without putting all of it together
        try:
            return isinstance(json.loads(self.text), dict)
        except (ValueError, RecursionError):
            return False


@dataclass(frozen=True)
class _Told:
    """What one piece says."""

    number: int | None
    id: str
    name: str
    arguments: str

    @property
    def is_empty(self) -> bool:
        return not (self.id or self.name or self.arguments)

    @property
    def begins_object(self) -> bool:
        return self.arguments.lstrip().startswith("{")


class CallAssembly:
    """The function calls of one answer, as they come in."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_number: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._last: _Call | None = None
        self._announced: list[_Call] = []
        self._ids: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether nothing was called."""
        return not self._calls

    @property
    def are_whole(self) -> bool:
        """Whether there are calls, and each could be carried out as it is."""
        return all(call.name and call.is_whole for call in self._calls) and not self.empty

    @property
    def names(self) -> set[str]:
        """The functions that were called."""
        return {call.name for call in self._calls}

    @property
    def extras(self) -> Sequence[JSON]:
        """The fields of each call that the protocol does not know, in the order of the calls."""
        return [call.extra for call in self._announced]

    def take(self, piece: JSON) -> Iterator[Piece]:
        """Yield what a piece of a call, an item of `tool_calls`, says."""
        told = _told(piece)
        call = self._call(told)
        if call is None:
            return
        self._follow(call, told)
        call.id = call.id or told.id
        call.name = call.name or told.name
        call.extra |= _extra(piece)
        added = call.add(told.arguments)
        if call.index is not None:
            if added:
                yield CallArguments(call.index, added)
        elif call.name and call.arguments:
            yield from self._announce(call)

    def finish(self) -> Iterator[Piece]:
        """Yield what is left once the answer is over; raise if a call names no function."""
        for call in self._calls:
            if not call.name:
                raise UpstreamError("The model called a function without naming it.")
            if call.text.strip():
                continue
            call.arguments.append("{}")
            if call.index is None:
                yield from self._announce(call)
            else:
                yield CallArguments(call.index, "{}")

    def _call(self, told: _Told) -> _Call | None:
        """Return the call to which a piece belongs; None if it says nothing, or nothing new."""
        known = self._known(told)
        if known is not None and not self._opens_another(known, told):
            return known
        if told.is_empty or (known is not None and self._repeats(known, told)):
            return None
        opened = _Call(told.number)
        self._calls.append(opened)
        return opened

    def _known(self, told: _Told) -> _Call | None:
        known = self._last if told.number is None else self._by_number.get(told.number)
        if known is None or not told.id or told.id == known.id:
            return known
        # Calls of one number, or of none, whose pieces alternate are told apart by their ids.
        other = self._by_id.get(told.id)
        return other if other is not None and other.number == told.number else known

    def _follow(self, call: _Call, told: _Told) -> None:
        """Take note of what the next pieces may continue."""
        self._last = call
        if told.number is not None:
            self._by_number[told.number] = call
        if told.id:
            self._by_id.setdefault(told.id, call)

    @staticmethod
    def _opens_another(known: _Call, told: _Told) -> bool:
        if told.id and known.id and told.id != known.id:
            return True
        if told.name and known.name and told.name != known.name:
            return True
        # Without an id only this tells two calls of one function apart.
        return bool(told.name and known.name and told.begins_object and known.is_whole)

    @staticmethod
    def _repeats(known: _Call, told: _Told) -> bool:
        """Whether a whole call is said once more, as some servers do at the end."""
        same = bool(told.id) and (told.id, told.name) == (known.id, known.name)
        return same and known.text.strip() == told.arguments.strip()

    def _announce(self, call: _Call) -> Iterator[Piece]:
        call.index = len(self._announced)
        self._announced.append(call)
        # Two calls with one id could not be told apart by whoever answers them.
        unique = call.id if call.id and call.id not in self._ids else new_id("call")
        self._ids.add(unique)
        yield CallStart(call.index, unique, call.name)
        yield CallArguments(call.index, call.text)


def _told(piece: JSON) -> _Told:
    function = piece.get("function")
    said: JSON = function if isinstance(function, dict) else {}
    number = piece.get("index")
    return _Told(
        number if type(number) is int else None,
        _text(piece.get("id")),
        _text(said.get("name")),
        _arguments(said.get("arguments")),
    )


def _extra(piece: JSON) -> JSON:
    return {
        name: value for name, value in piece.items() if name not in _KNOWN and value is not None
    }


def _text(value: Any) -> str:
    return whole(value) if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    if isinstance(value, dict):  # some servers send what the JSON means instead of the JSON
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else ""
