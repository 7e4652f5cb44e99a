"""The legal orders of a run's stream of events, and what its deltas must add up to.

Stricter than a client needs: the transcripts published for the Assistants API are the measure,
and for the orders that no transcript shows, the one the rest implies.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Pair = tuple[str, Any]

RUN, STEP, MESSAGE = "thread.run", "thread.run.step", "thread.message"
_ENDED_RUN = ("completed", "incomplete", "failed", "cancelled", "expired", "requires_action")
_ENDED_STEP = ("completed", "failed", "cancelled", "expired")
_ENDED_MESSAGE = ("completed", "incomplete")
_WHILE_ACTIVE = (*_ENDED_RUN, "cancelling")

# What may come next, by what came last; None is the beginning.
_NEXT: dict[str, dict[str | None, tuple[str, ...]]] = {
    RUN: {
        None: ("created",),
        # Tool outputs set a known run going again, without a second `created`.
        "resumed": ("queued",),
        "created": ("queued",),
        "queued": ("in_progress", "cancelling", "cancelled", "expired", "failed"),
        "in_progress": _WHILE_ACTIVE,
        "cancelling": ("cancelled", "completed", "failed", "expired", "incomplete"),
    },
    STEP: {
        None: ("created",),
        "created": ("in_progress",),
        "in_progress": ("delta", *_ENDED_STEP),
        "delta": ("delta", *_ENDED_STEP),
    },
    MESSAGE: {
        None: ("created",),
        "created": ("in_progress",),
        "in_progress": ("delta", *_ENDED_MESSAGE),
        "delta": ("delta", *_ENDED_MESSAGE),
    },
}


class OrderViolation(AssertionError):
    """An event came where it may not, or contradicts those before it."""


@dataclass
class _Thing:
    """A run, step or message of the stream, as its events have it so far."""

    kind: str
    data: dict[str, Any]
    last: str | None = None
    folded: dict[str, Any] = field(default_factory=dict)


def check_order(events: Iterable[Pair]) -> None:
    """Check a whole stream, from its first event to `done`."""
    order = _Order()
    for event, data in events:
        order.take(event, data)
    order.end()


class _Order:
    def __init__(self) -> None:
        self._count = 0
        self._run: _Thing | None = None
        self._things: dict[str, _Thing] = {}
        self._resumed = False
        self._failed = False
        self._done = False

    def take(self, event: str, data: Any) -> None:
        """Take the next event."""
        _require(not self._done, f"{event!r} after 'done'")
        if event == "done":
            _require(self._failed or self._run_ended(), "'done' before the run ended or paused")
            self._done = True
        elif event == "error":
            self._failed = True
        else:
            _require(not self._failed, f"{event!r} after 'error'")
            self._take_object(event, data)
        self._count += 1

    def end(self) -> None:
        """Check that the stream may end here."""
        # After an error the stream may just stop: the client has raised by then.
        _require(self._done or self._failed, "the stream ends without 'done'")

    def _take_object(self, event: str, data: dict[str, Any]) -> None:
        if event == "thread.created":
            _require(self._count == 0, f"{event!r} is not the first event")
            return
        _require(not self._run_ended(), f"{event!r} after the run ended or paused")
        kind, _, change = event.rpartition(".")
        if kind == RUN:
            self._take_run(change, data)
        elif kind == STEP:
            self._take_step(change, data)
        else:
            self._take_message(change, data)

    def _take_run(self, change: str, data: dict[str, Any]) -> None:
        run = self._run or _Thing(RUN, data, "resumed" if self._resumed else None)
        _move(run, change, data)
        _require(data["status"] == ("queued" if change == "created" else change), "wrong status")
        self._run = run
        if self._run_ended():
            self._check_nothing_open(change)

    def _take_step(self, change: str, data: dict[str, Any]) -> None:
        if change == "completed" and self._run is None:
            self._resumed = True  # the step whose tool outputs this stream answers
            return
        step = self._thing(STEP, data)
        _move(step, change, data)
        if change != "delta":
            _require_status(data, change)
        else:
            step.folded = fold(step.folded, data["delta"].get("step_details", {}))
        if change == "completed":
            _require(_agrees(step.folded, data["step_details"]), "the step's deltas add up to else")
        if change in _ENDED_STEP:
            self._check_message_over(data)

    def _take_message(self, change: str, data: dict[str, Any]) -> None:
        message = self._thing(MESSAGE, data)
        _move(message, change, data)
        if change == "delta":
            message.folded = fold(message.folded, data["delta"])
            return
        _require_status(data, change)
        if change == "created":
            _require(data["content"] == [], "a new message already has content")
            _require(self._announced(data["id"]), "a message that no step creates")
        if change in _ENDED_MESSAGE:
            _check_fold(message.folded, data)

    def _thing(self, kind: str, data: dict[str, Any]) -> _Thing:
        _require(
            self._run is not None and self._run.last in ("in_progress", "cancelling"),
            f"an event of a {kind} while the run is not in progress",
        )
        return self._things.setdefault(data["id"], _Thing(kind, data))

    def _announced(self, message_id: str) -> bool:
        return any(
            thing.kind == STEP
            and thing.last == "in_progress"
            and _message_of(thing.data) == message_id
            for thing in self._things.values()
        )

    def _check_message_over(self, step: dict[str, Any]) -> None:
        message = self._things.get(_message_of(step) or "")
        over = message is None or message.last in _ENDED_MESSAGE
        _require(over, "a step ends before its message")

    def _run_ended(self) -> bool:
        return self._run is not None and self._run.last in _ENDED_RUN

    def _check_nothing_open(self, change: str) -> None:
        for thing in self._things.values():
            waits = change == "requires_action" and thing.data.get("type") == "tool_calls"
            ended = _ENDED_STEP if thing.kind == STEP else _ENDED_MESSAGE
            _require(waits or thing.last in ended, f"{thing.data['id']} is still open")


def fold(whole: Any, delta: Any) -> Any:
    """Add a delta as OpenAI's client does: strings and numbers add up, lists go by `index`."""
    if isinstance(whole, dict) and isinstance(delta, dict):
        return whole | {
            name: part if name in ("index", "type") else fold(whole.get(name), part)
            for name, part in delta.items()
        }
    if isinstance(delta, list):
        return _fold_list(whole or [], delta)
    if whole is None or delta is None:
        return delta if whole is None else whole
    return whole + delta


def _fold_list(whole: list[Any], delta: list[Any]) -> list[Any]:
    parts = {part["index"]: part for part in whole}
    for part in delta:
        _require(isinstance(part, dict) and "index" in part, "a list entry without an index")
        _require(part["index"] <= len(parts), f"index {part['index']} leaves a gap")
        parts[part["index"]] = fold(parts.get(part["index"], {}), part)
    return [parts[index] for index in sorted(parts)]


def _move(thing: _Thing, change: str, data: dict[str, Any]) -> None:
    legal = _NEXT[thing.kind].get(thing.last, ())
    _require(change in legal, f"{thing.kind}.{change} after {thing.last}")
    _require(data["id"] == thing.data["id"], f"another {thing.kind}: {data['id']}")
    thing.last = change
    if change != "delta":
        thing.data = data


def _check_fold(folded: dict[str, Any], message: dict[str, Any]) -> None:
    content = [_without_index(part) for part in folded.get("content", [])]
    for part in content:
        if part["type"] == "text":
            part["text"].setdefault("annotations", [])
    _require(
        content == message["content"],
        f"the message's deltas add up to {content}, not to {message['content']}",
    )


def _without_index(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_index(part) for part in value]
    if isinstance(value, dict):
        return {name: _without_index(part) for name, part in value.items() if name != "index"}
    return value


def _agrees(folded: Any, whole: Any) -> bool:
    """Whether the whole says all that the deltas said; it may know more, e.g. outputs."""
    if folded is None:
        return True
    if isinstance(folded, dict) and isinstance(whole, dict):
        names = folded.keys() - {"index"}
        return all(_agrees(folded[name], whole.get(name)) for name in names)
    if isinstance(folded, list) and isinstance(whole, list):
        return len(folded) == len(whole) and all(map(_agrees, folded, whole))
    return bool(folded == whole)


def _message_of(step: dict[str, Any]) -> str | None:
    creation = step["step_details"].get("message_creation", {})
    message_id: str | None = creation.get("message_id")
    return message_id


def _require_status(data: dict[str, Any], change: str) -> None:
    expected = "in_progress" if change == "created" else change
    _require(data["status"] == expected, f"{data['id']} is {data['status']!r} in '{change}'")


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise OrderViolation(complaint)
