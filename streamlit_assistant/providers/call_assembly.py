"""Puts function calls together from the pieces in which model servers send them.

No two servers agree. OpenAI numbers the calls and sends their arguments in pieces. Ollama sends
whole calls, all with the number 0; Gemini sends no numbers; others no ids. A piece belongs to the
call of its number unless it shows, by its id or by following a whole call, that it opens another.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import CallArguments, CallStart
from streamlit_assistant.records import JSON, new_id

Piece = CallStart | CallArguments


@dataclass
class _Call:
    index: int
    id: str = ""  # as the server gave it; it may come late, or never
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    announced: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a whole JSON object, to which nothing can be added."""
        text = "".join(self.arguments).strip()
        if not text.endswith("}"):
            return False
        try:
            return isinstance(json.loads(text), dict)
        except ValueError:
            return False


class CallAssembly:
    """The function calls of one answer, as they come in."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_number: dict[int, _Call] = {}
        self._ids: set[str] = set()

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
        if arguments:
            call.arguments.append(arguments)
        if call.announced:
            if arguments:
                yield CallArguments(call.index, arguments)
        elif call.name:
            yield from self._announce(call)

    def finish(self) -> Iterator[Piece]:
        """Yield what is left once the answer is over; raise if a call names no function."""
        for call in self._calls:
            if not call.announced:
                raise UpstreamError("The model called a function without naming it.")
            if not "".join(call.arguments).strip():
                yield CallArguments(call.index, "{}")

    def _call(self, number: Any, call_id: str, name: str, arguments: str) -> _Call:
        known = self._by_number.get(number) if type(number) is int else self._last()
        if known is None or self._opens_another(known, number, call_id, name, arguments):
            known = _Call(len(self._calls))
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
        call.announced = True
        # Two calls with one id could not be told apart by whoever answers them.
        unique = call.id if call.id and call.id not in self._ids else new_id("call")
        self._ids.add(unique)
        yield CallStart(call.index, unique, call.name)
        if call.arguments:
            yield CallArguments(call.index, "".join(call.arguments))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    if isinstance(value, dict):  # some servers send what the JSON means instead of the JSON
        return json.dumps(value, ensure_ascii=False)
    return _text(value)
