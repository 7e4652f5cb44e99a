"""Sync column: reads server-sent events, with the ids and comments that the SDK drops."""

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
    """A comment line: the server is there and has nothing to say."""


_LINE_END = re.compile(rb"\r\n|\n|\r")
_FRAME_NUMBER = re.compile(r"[0-9]{1,18}")


def read_events(chunks: Iterable[bytes]) -> Iterator[Frame | Tick]:
    """Yield what the lines say; a frame cut off by the end of the stream is not one."""
    fields: dict[str, str] = {}
    for line in _lines(chunks):
        if line.startswith(":"):
            yield Tick()
        elif line:
            _collect(fields, line)
        else:
            if "data" in fields:
                yield _frame(fields)
            fields = {}


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


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    # Not the response's own line iterator: that one also breaks lines at U+2028, U+0085 and
    # other characters which JSON leaves unescaped, and so tears the frames of some answers.
    tail = b""
    after_cr = False
    for chunk in filter(None, chunks):
        # The line before ended with the "\r" of a "\r\n" whose second half comes only now.
        rest = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
        after_cr = chunk.endswith(b"\r")
        *lines, tail = _LINE_END.split(tail + rest)
        for line in lines:
            yield _decoded(line)


def _decoded(line: bytes) -> str:
    try:
        return line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        raise StreamBroken("The event stream is not UTF-8.") from exc
