"""A thread as an object of the archive: lines of JSON, compressed with gzip.

The first line says what it is, the last one how much it holds and its checksum; between them is a
line for each row of the database, in the order in which rows refer to each other.
"""

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from streamlit_assistant.archive.archive_errors import ArchiveError, BrokenObject
from streamlit_assistant.json_text import to_json
from streamlit_assistant.store.archived_rows import TABLES, StoredRow
from streamlit_assistant.store.migrations import HEAD

KIND = "streamlit-assistant thread"
FORMAT = 1
GZIP = 16 + zlib.MAX_WBITS  # what zlib calls the format of gzip files
LEVEL = 6
MOST_READ = 1 << 20  # bytes unpacked at a time
LONGEST_LINE = 1 << 30  # bytes; no database has rows that are longer
LATEST = 253_402_300_799  # seconds; the last that has a date, in the year 9999
PIECE_ROWS, PIECE_BYTES = 1000, 1 << 20
HALF_LETTERS = (rb"\ud", rb"\uD")  # how JSON can name what no text can hold


@dataclass(frozen=True)
class Header:
    """The first line: whose thread it is, and what made it."""

    thread_id: str
    title: str | None
    created_at: int
    last_active_at: int
    messages: int
    archived_at: int
    schema: str = HEAD
    format: int = FORMAT
    archive: str = KIND


@dataclass
class Written:
    """What was written: how many rows of each table, and hashes of their lines and of all."""

    rows: Counter[str] = field(default_factory=Counter)
    sha256: str = ""
    whole_sha256: str = ""
    size: int = 0  # bytes, compressed


class ObjectWriter:
    """Writes an object to a file, piece by piece."""

    def __init__(self, file: IO[bytes], header: Header) -> None:
        self._file = file
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._hash, self._whole = hashlib.sha256(), hashlib.sha256()
        self._written = Written()
        self._pack(_line(asdict(header)))

    def add(self, table: str, lines: Sequence[bytes]) -> None:
        """Write the next rows, a line each."""
        joined = b"".join(lines)
        self._hash.update(joined)
        self._written.rows[table] += len(lines)
        self._pack(joined)

    def end(self) -> Written:
        """Write the last line and return what was written."""
        self._written.sha256 = self._hash.hexdigest()
        self._pack(_line({"end": dict(self._written.rows), "sha256": self._written.sha256}))
        self._put(self._packer.flush())
        self._written.whole_sha256 = self._whole.hexdigest()
        return self._written

    def _pack(self, lines: bytes) -> None:
        self._whole.update(lines)
        self._put(self._packer.compress(lines))

    def _put(self, packed: bytes) -> None:
        self._written.size += self._file.write(packed)


@dataclass
class Checked:
    """What an object was found to hold."""

    header: Header
    rows: Counter[str] = field(default_factory=Counter)
    sha256: str = ""
    columns: dict[str, Sequence[str]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)  # the greatest number in each table


def check(
    chunks: Iterable[bytes], thread_id: str, see: Callable[[StoredRow], None] | None = None
) -> Checked:
    """Read an object to its end; raise `BrokenObject` unless it is whole and of this thread.

    `see` gets each of its rows.
    """
    lines = _lines(chunks)
    header = read_header(next(lines, b""))
    if header.thread_id != thread_id:
        raise BrokenObject(f"it holds the thread {header.thread_id}")
    if header.schema > HEAD:
        raise ArchiveError(
            f"it was made by a newer version (schema {header.schema}, this version knows {HEAD}); "
            "restore it with that version"
        )
    checked, present = Checked(header), hashlib.sha256()
    for line in lines:
        found = _object(line)
        if "end" in found:
            checked.sha256 = present.hexdigest()
            _compare(found, checked)
            if next(lines, None) is not None:
                raise BrokenObject("something stands behind its end")
            return checked
        present.update(line)
        row = _row(found)
        if see is not None:
            see(row)
        if checked.rows[row.table] == 0:
            checked.columns[row.table] = list(row.values)
        checked.rows[row.table] += 1
        checked.newest[row.table] = max(checked.newest.get(row.table, 0), row.values["seq"])
    raise BrokenObject("its end is missing")


def whole_sha256(chunks: Iterable[bytes]) -> str:
    """Return the hash of all that an object holds; raise `BrokenObject` where it is damaged."""
    whole = hashlib.sha256()
    for unpacked in _unpacked(chunks):
        whole.update(unpacked)
    return whole.hexdigest()


def rows(chunks: Iterable[bytes]) -> Iterator[StoredRow]:
    """Yield the rows of an object that was checked."""
    return (row for piece in pieces(chunks) for row in piece)


def pieces(chunks: Iterable[bytes]) -> Iterator[list[StoredRow]]:
    """Yield the rows of an object that was checked, those of one table at a time."""
    rows: list[StoredRow] = []
    size = 0
    for line in _lines(chunks):
        found = _object(line)
        row = _row(found) if "row" in found else None
        full = len(rows) == PIECE_ROWS or size > PIECE_BYTES
        if rows and (full or row is None or row.table != rows[0].table):
            yield rows
            rows, size = [], 0
        if row is not None:
            rows.append(row)
            size += len(line)


def read_header(line: bytes) -> Header:
    """Return what a first line says; raise `ArchiveError` where it is not one that we can read."""
    found = _object(line)
    if found.get("archive") != KIND:
        raise BrokenObject("it is no thread of an archive")
    if not isinstance(found.get("format"), int) or found["format"] > FORMAT:
        raise ArchiveError("it was made by a newer version; restore it with that version")
    try:
        read = Header(**{name: found[name] for name in Header.__dataclass_fields__})
    except KeyError as error:
        raise BrokenObject(f"its first line lacks {error}") from error
    texts = (read.thread_id, read.title or "", read.schema)
    numbers = (read.messages, read.created_at, read.last_active_at, read.archived_at)
    if not all(isinstance(text, str) for text in texts) or not all(map(_is_number, numbers)):
        raise BrokenObject("its first line is none of ours")
    return read


def first_line(beginning: bytes) -> bytes:
    """Return the first line of an object of which only the beginning is there."""
    try:
        return zlib.decompressobj(GZIP).decompress(beginning, MOST_READ).partition(b"\n")[0]
    except zlib.error as error:
        raise BrokenObject("it is damaged") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= LATEST


def _line(value: Mapping[str, Any]) -> bytes:
    return f"{to_json(value)}\n".encode()


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unfinished = bytearray()
    for unpacked in _unpacked(chunks):
        *lines, rest = unpacked.split(b"\n")
        for line in lines:
            yield bytes(unfinished) + line + b"\n"
            unfinished.clear()
        unfinished += rest
        if len(unfinished) > LONGEST_LINE:
            raise BrokenObject("it has a line without an end")
    if unfinished:
        yield bytes(unfinished)


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(GZIP)
    try:
        for chunk in chunks:
            yield unpacker.decompress(chunk, MOST_READ)
            while unpacker.unconsumed_tail:
                yield unpacker.decompress(unpacker.unconsumed_tail, MOST_READ)
    except zlib.error as error:
        raise BrokenObject("it is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise BrokenObject("it is not whole" if not unpacker.eof else "something stands behind it")


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
        if any(half in line for half in HALF_LETTERS):
            to_json(found).encode()
    except (ValueError, RecursionError) as error:
        raise BrokenObject("it is damaged") from error
    if not isinstance(found, dict):
        raise BrokenObject("it is damaged")
    return found


def parsed(line: bytes) -> StoredRow:
    """Return the row that a line holds; raise `BrokenObject`."""
    return _row(_object(line))


def _row(found: Mapping[str, Any]) -> StoredRow:
    table, values = found.get("table"), found.get("row")
    if not isinstance(table, str) or table not in TABLES:
        raise BrokenObject(f"it has rows that this version does not know ({table})")
    if not isinstance(values, dict) or not isinstance(values.get("seq"), int):
        raise BrokenObject("it is damaged")
    return StoredRow(table, values)


def _compare(end: Mapping[str, Any], checked: Checked) -> None:
    if end["end"] != dict(checked.rows) or end.get("sha256") != checked.sha256:
        raise BrokenObject("its checksum is wrong")
