"""Puts function calls together from the pieces in which model servers send them.

No two servers agree. OpenAI numbers the calls and sends their arguments in pieces. Ollama sends
whole calls, all with the number 0; Gemini sends no numbers; others no ids. A piece belongs to the
call of its number unless it shows, by its id or by following a whole call, that it opens another.

A call is announced with its first arguments, or at the end if it has none: whoever acts on the end
of a call must not meet one that is still empty.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import CallArguments, CallStart
from streamlit_assistant.providers.surrogates import mended, whole
from streamlit_assistant.records import JSON, new_id

Piece = CallStart | CallArguments


@dataclass
class _Call:
    id: str = ""  # as the server gave it; it may come late, or never
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    half: str = ""  # of a character that was cut in two
    index: int | None = None  # once it is announced

    def add(self, arguments: str) -> str:
        """Take arguments in; return what can be said of them now."""
        said, self.half = mended(self.half, arguments)
        if said:
            self.arguments.append(said)
        return said

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a whole JSON object, to which nothing can be added."""
        text = "".join(self.arguments).strip()
        if not text.endswith("}"):
            return False
        try:
            return isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            return False


class CallAssembly:
    """The function calls of one answer, as they come in."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_number: dict[int, _Call] = {}
        self._ids: set[str] = set()
        self._announced = 0

    @property
    def empty(self) -> bool:
        """Whether nothing was called."""
        return not self._calls

    def take(self, piece: JSON) -> Iterator[Piece]:
        """Yield what a piece of a call, an item of `tool_calls`, says."""
        function = piece.get("function")
        said: JSON = function if isinstance(function, dict) else {}
        call_id, name = _text(piece.get("id")), _text(said.get("name"))
        arguments = _arguments(said.get("arguments"))
        call = self._call(piece.get("index"), call_id, name, arguments)
        call.id = call.id or call_id
        call.name = call.name or name
        added = call.add(arguments)
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
            if "".join(call.arguments).strip():
                continue
            call.arguments.append("{}")
            if call.index is None:
                yield from self._announce(call)
            else:
                yield CallArguments(call.index, "{}")

    def _call(self, number: Any, call_id: str, name: str, arguments: str) -> _Call:
        known = self._by_number.get(number) if type(number) is int else self._last()
        if known is None or self._opens_another(known, number, call_id, name, arguments):
            known = _Call()
            self._calls.append(known)
        if type(number) is int:
            self._by_number[number] = known
        return known

    def _last(self) -> _Call | None:
        return self._calls[-1] if self._calls else None

    @staticmethod
    def _opens_another(known: _Call, number: Any, call_id: str, name: str, arguments: str) -> bool:
        if call_id and known.id:
            return call_id != known.id
        if type(number) is not int and name and known.name and name != known.name:
            return True
        # Without an id only this tells two calls of one function apart.
        return bool(name and known.name and arguments.lstrip().startswith("{") and known.is_whole)

    def _announce(self, call: _Call) -> Iterator[Piece]:
        call.index = self._announced
        self._announced += 1
        # Two calls with one id could not be told apart by whoever answers them.
        unique = call.id if call.id and call.id not in self._ids else new_id("call")
        self._ids.add(unique)
        yield CallStart(call.index, unique, call.name)
        yield CallArguments(call.index, "".join(call.arguments))


def _text(value: Any) -> str:
    return whole(value) if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    if isinstance(value, dict):  # some servers send what the JSON means instead of the JSON
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else ""
