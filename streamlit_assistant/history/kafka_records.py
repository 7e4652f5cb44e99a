"""How entries are written down as Kafka's records, and read as such.

A message is a record of which LangChain's own class can read the value. What else a reader must
know is in headers. Records without a value, which that class passes over, say what is no more.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamlit_assistant.history.entries import Entry, stored_name

PARTITION = 0  # all of a session is in one, whoever adds partitions later: only so it has an order
KEY = "history-key"
BATCH = "history-batch"
REMOVED = "history-removed"
CLEARED = "history-cleared"
_KEYS_AT_ONCE = 1000

Headers = list[tuple[str, str | bytes | None]]  # as librdkafka's binding has them


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be written."""

    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Piece:
    """Which part of what was added in one call a record is."""

    batch: bytes
    number: int
    count: int


def messages(entries: Sequence[Entry]) -> list[Record]:
    """Return the records of entries that are added in one call."""
    if len(entries) == 1:
        return [Record(_bytes(entries[0].body), [(KEY, _bytes(entries[0].key))])]
    batch = os.urandom(8).hex().encode()
    count = len(entries)
    return [
        Record(
            _bytes(entry.body),
            [(KEY, _bytes(entry.key)), (BATCH, b"%s:%d:%d" % (batch, number, count))],
        )
        for number, entry in enumerate(entries)
    ]


def removals(keys: Collection[str]) -> Iterator[Record]:
    """Return the records that remove messages."""
    listed = sorted(keys)
    for start in range(0, len(listed), _KEYS_AT_ONCE):
        yield Record(None, [(REMOVED, json.dumps(listed[start : start + _KEYS_AT_ONCE]).encode())])


def clearing(ends: Mapping[int, int]) -> Record:
    """Return the record that removes what is before it, and before the ends of other partitions."""
    ends = {partition: end for partition, end in ends.items() if partition != PARTITION}
    return Record(None, [(CLEARED, json.dumps(ends).encode())])


def piece_of(header: bytes) -> Piece:
    """Return what a `BATCH` header says."""
    batch, number, count = header.split(b":")
    return Piece(batch, int(number), int(count))


def removed_keys(header: bytes) -> list[str]:
    """Return what a `REMOVED` header says."""
    return list(json.loads(header))


def cleared_ends(header: bytes) -> dict[int, int]:
    """Return what a `CLEARED` header says."""
    return {int(partition): end for partition, end in json.loads(header).items()}


def text(raw: bytes) -> str:
    """Return what `messages` has encoded."""
    return raw.decode("utf-8", "surrogatepass")


def foreign_key(value: bytes) -> str | None:
    """Return the id in a message that others wrote, "" without one; None if it is no message."""
    try:
        written = json.loads(text(value))
        kind, data = written["type"], written["data"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(kind, str) or not isinstance(data, dict):
        return None
    return stored_name(str(data["id"])) if data.get("id") else ""


def _bytes(given: str) -> bytes:
    return given.encode("utf-8", "surrogatepass")
