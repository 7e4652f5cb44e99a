"""The scripted model's mind: it can only know what stands in the messages it was sent."""

import json
import re
from collections.abc import Callable, Sequence, Set
from itertools import takewhile
from typing import Any

from tests.upstream_scripts import Answer, markdown, numbered, spoken
from tests.upstream_wire import Call

_TOLD = re.compile(r"\bmy name is (\w+)|我叫(\w+)", re.IGNORECASE)
_ASKED = re.compile(r"what(?:'s| is) my name|我叫什么", re.IGNORECASE)
_CALL = re.compile(r"\bcall (\w+)\((\{.*?\})\)", re.DOTALL)
_ORDER = re.compile(
    r"\b(count|count in markdown) to (\d+)(?: at (\d+(?:\.\d+)?) (?:tokens )?(?:a|per) second)?",
    re.IGNORECASE,
)
_ORDERS: dict[str, Callable[[int, float | None], Answer]] = {
    "count": numbered,
    "count in markdown": markdown,
}


def think(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> Answer:
    """Answer from the conversation alone.

    `call f({"a": 1}) and call g({})` makes it call these functions if it is offered them; told
    what they returned, it repeats that. Offered a search, it searches for any other question.

    `count to 300 at 20 per second` makes it say `t1 t2 ...` at that rate, `count in markdown to 9`
    the same with markup. Told a name (`my name is ...`), it knows it when asked. To all else it
    says how many turns it has seen and repeats the last.
    """
    turns = [_text(message) for message in messages if message.get("role") == "user"]
    last = turns[-1] if turns else ""
    if messages and messages[-1].get("role") == "tool":
        return spoken(f"I was told: {_told(messages)}")
    if calls := _calls(last, {tool["function"]["name"] for tool in tools}):
        return Answer(calls=calls)
    if order := _ORDER.search(last):
        kind, count, rate = order.groups()
        return _ORDERS[kind.lower()](int(count), float(rate) if rate else None)
    if _ASKED.search(last):
        return spoken(_recall(turns))
    return spoken(f"Turn {len(turns)}. You said: {last}")


def _calls(order: str, offered: Set[str]) -> list[Call]:
    ordered = [Call(name, arguments) for name, arguments in _CALL.findall(order)]
    if not ordered and "file_search" in offered:
        return [Call("file_search", json.dumps({"queries": [order]}, ensure_ascii=False))]
    return [call for call in ordered if call.name in offered]


def _told(messages: Sequence[dict[str, Any]]) -> str:
    outputs = takewhile(lambda message: message.get("role") == "tool", reversed(messages))
    return "; ".join(reversed([_text(output) for output in outputs]))


def _recall(turns: Sequence[str]) -> str:
    # Some servers are told turns that follow each other as one.
    said = [piece for turn in turns for piece in turn.split("\n\n")]
    names = [name for piece in said if not _ASKED.search(piece) for name in _names(piece)]
    return f"Your name is {names[-1]}." if names else "You have not told me your name."


def _names(turn: str) -> list[str]:
    return [english or chinese for english, chinese in _TOLD.findall(turn)]


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])
