"""The parts of a form out of its bytes: what a part is called, its data, its end. No input here."""

import logging
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

# `; name="value"` with `\"` inside, or `; name=value`
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))', re.DOTALL)

# It warns with pieces of what came, which may be somebody's secrets; errors are ours to tell.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Part:
    """A part begins. `filename` None: it is a plain field."""

    name: str
    filename: str | None


@dataclass(frozen=True)
class PartEnd:
    """The part's data has come to its end."""


class FormParser:
    """Turns pieces of a body into events; bad ones raise `FormParserError`."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[Part | bytes | PartEnd] = []
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._read_name,
                "on_header_value": self._read_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._read_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> list[Part | bytes | PartEnd]:
        """Return what the next piece of the body brings."""
        self._parser.write(piece)
        events, self._events = self._events, []
        return events

    def finish(self) -> None:
        """Refuse a body that has ended too early."""
        if not self._ended:
            raise FormParserError("it ends before its last boundary")

    def _begin(self) -> None:
        self._disposition = b""

    def _read_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        parameters = _parameters(self._disposition)
        if "name" not in parameters:
            raise FormParserError("a part has no name in its Content-Disposition header")
        self._events.append(Part(parameters["name"], parameters.get("filename")))

    def _read_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end_part(self) -> None:
        self._events.append(PartEnd())

    def _end(self) -> None:
        self._ended = True


def _parameters(header: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    extended: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(_decoded(header)):
        if name.endswith("*"):
            extended[name[:-1].lower()] = _extended(bare or quoted)
        else:
            found[name.lower()] = _unescaped(quoted) or bare
    return found | extended


def _unescaped(quoted: str) -> str:
    # Browsers and the official client write a quotation mark as %22, others with a backslash.
    return re.sub(r'\\(["\\])', r"\1", quoted).replace("%22", '"')


def _extended(value: str) -> str:
    """Return what `UTF-8'en'%e4%b8%ad` says."""
    charset, _, rest = value.partition("'")
    raw = unquote_to_bytes(rest.partition("'")[2])
    return raw.decode("latin-1") if charset.lower() == "iso-8859-1" else _decoded(raw)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
