"""Reads server-sent events for tests: strictly, so that a sloppy frame shows."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One frame; `id` is the number it carried itself, as text."""

    id: str | None
    event: str
    data: str

    def json(self) -> Any:
        """Return the data, parsed."""
        return json.loads(self.data)


def parse_events(body: bytes | str) -> list[Event]:
    """Return the events of a whole response body."""
    text = body.decode() if isinstance(body, bytes) else body
    # Not `splitlines`, which also breaks at U+2028 and other characters that JSON may hold.
    *lines, _unfinished = text.replace("\r\n", "\n").split("\n")
    return list(read_events(lines))


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of a body that is still being received, given without line ends.

    Comments are skipped. A frame that the end of the body cut off is not an event.
    """
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if fields:
                yield _event(fields)
            fields = {}
        elif not line.startswith(":"):
            name, colon, value = line.partition(":")
            assert colon, f"not a field of an event: {line!r}"
            assert name in ("id", "event", "data"), f"unknown field: {line!r}"
            assert name not in fields, f"field given twice in one event: {line!r}"
            fields[name] = value.removeprefix(" ")


def _event(fields: dict[str, str]) -> Event:
    assert "data" in fields, f"an event without data: {fields}"
    return Event(fields.get("id"), fields.get("event", "message"), fields["data"])
