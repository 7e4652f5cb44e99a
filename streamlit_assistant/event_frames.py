"""Server-sent events from bytes, comments included. Both columns read with it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class StreamBroken(Exception):
    """An event stream ended, failed or made no sense before it told how the run ended."""


@dataclass(frozen=True)
class Frame:
    """One event; `id` is the frame's own number, if it carried one."""

    id: int | None
    event: str
    data: str


@dataclass(frozen=True)
class Tick:
    """A comment line: the server is there and has no news but where the run stands.

    `resting`: its model server has asked for a pause of so many seconds.
    """

    position: int | None = None  # in the queue; 1: its turn is next
    resting: int | None = None


_LINE_END = re.compile(rb"\r\n|\n|\r")
_FRAME_NUMBER = re.compile(r"[0-9]{1,18}")
_STANDING = re.compile(r": ?(queued|resting) ([0-9]{1,9})")


def read_events(chunks: Iterable[bytes]) -> Iterator[Frame | Tick]:
    """Yield what the chunks say; a frame cut off by the end of the stream is not one."""
    decoder = FrameDecoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)


class FrameDecoder:
    """Turns bytes into events as they come, wherever they are cut."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._tail = b""
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[Frame | Tick]:
        """Yield what is complete with these bytes; raise `StreamBroken` if they are no text."""
        for line in self._lines(chunk):
            if line.startswith(":"):
                yield _tick(line)
            elif line:
                _collect(self._fields, line)
            else:
                if "data" in self._fields:
                    yield _frame(self._fields)
                self._fields = {}

    def _lines(self, chunk: bytes) -> Iterator[str]:
        # Not the response's own line iterator: that one also breaks lines at U+2028, U+0085 and
        # other characters which JSON leaves unescaped, and so tears the frames of some answers.
        if not chunk:
            return
        # The line before ended with the "\r" of a "\r\n" whose second half comes only now.
        rest = chunk[1:] if self._after_cr and chunk.startswith(b"\n") else chunk
        self._after_cr = chunk.endswith(b"\r")
        *lines, self._tail = _LINE_END.split(self._tail + rest)
        for line in lines:
            yield _decoded(line)


def _tick(line: str) -> Tick:
    told = _STANDING.fullmatch(line)
    if told is None:
        return Tick()
    return Tick(int(told[2])) if told[1] == "queued" else Tick(resting=int(told[2]))


def _collect(fields: dict[str, str], line: str) -> None:
    name, _, value = line.partition(":")
    value = value.removeprefix(" ")
    if name == "data" and "data" in fields:
        value = f"{fields['data']}\n{value}"
    fields[name] = value


def _frame(fields: dict[str, str]) -> Frame:
    # The standard lets a frame without an id inherit the last one. Here the id tells frames
    # already seen from new ones, so it counts only for the frame that carries it.
    number = fields.get("id", "")
    return Frame(
        id=int(number) if _FRAME_NUMBER.fullmatch(number) else None,
        event=fields.get("event") or "message",
        data=fields["data"],
    )


def _decoded(line: bytes) -> str:
    try:
        return line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        raise StreamBroken("The event stream is not UTF-8.") from exc
