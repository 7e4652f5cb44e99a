"""The text of a document, whatever its kind. Runs in the worker process only.

What a file is its bytes say; only where all kinds of text look alike is its name asked. The
libraries that read documents are loaded when the first document of their kind comes.
"""

import importlib
import json
import re
from pathlib import Path

from streamlit_assistant.files.unreadable import INVALID_FILE, UNSUPPORTED_FILE, Unreadable

MOST_TEXT_BYTES = 128 * 1024 * 1024  # of plain text; five million tokens are far less
HEAD = 4096  # bytes

EMPTY = "The file is empty."
NO_TEXT = "The file holds no text."
TOO_LARGE = "The file holds more text than can be searched; divide it into several files."
RICH_TEXT = "Rich text (RTF) cannot be read; save it as DOCX first."

_HTML_NAMES = (".html", ".htm", ".xhtml")
_JSON_NAMES = (".json", ".jsonl", ".ndjson")
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_NOISE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u00ad\u200b\ufeff\ufffe\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|\x0c|\u2028|\u2029")
_TRAILING = re.compile(r"(?<=\S)[^\S\n]+$|^[^\S\n]+$", re.M)
_GAPS = re.compile(r"\n{4,}")


def extract(path: Path, filename: str) -> str:
    """Return a document's text; raise `Unreadable` with plain words if it has none."""
    size = path.stat().st_size
    if not size:
        raise Unreadable(INVALID_FILE, EMPTY)
    with path.open("rb") as file:
        head = file.read(HEAD)
    text = _tidy(_read(path, filename.lower(), head, size))
    if not text:
        raise Unreadable(INVALID_FILE, NO_TEXT)
    return text


def _read(path: Path, name: str, head: bytes, size: int) -> str:
    if b"%PDF-" in head[:1024]:
        return _read_with("extraction_pdf", path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
        return _read_with("extraction_office", path)
    if head.startswith(b"{\\rtf"):
        raise Unreadable(UNSUPPORTED_FILE, RICH_TEXT)
    if size > MOST_TEXT_BYTES:
        raise Unreadable(INVALID_FILE, TOO_LARGE)
    if name.endswith(_HTML_NAMES) or _HTML.match(head):
        return _read_with("extraction_html", path)
    text = _read_with("decoding", path)
    return _spelled_out(text) if name.endswith(_JSON_NAMES) else text


def _read_with(module: str, path: Path) -> str:
    reader = importlib.import_module(f"streamlit_assistant.files.{module}")
    return str(reader.read(path))


def _spelled_out(text: str) -> str:
    """Write JSON with line breaks, and with characters in place of their codes."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return "\n".join(_spelled_out_line(line) for line in text.split("\n"))


def _spelled_out_line(line: str) -> str:
    if "\\u" not in line:
        return line
    try:
        return json.dumps(json.loads(line), ensure_ascii=False)
    except (ValueError, RecursionError):
        return line


def _tidy(text: str) -> str:
    text = _NOISE.sub("", _LINE_ENDS.sub("\n", text))
    return _GAPS.sub("\n\n\n", _TRAILING.sub("", text)).strip()
