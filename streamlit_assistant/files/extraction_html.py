"""The text of web pages: what a reader would see, with headings, lists and tables as lines."""

import re
from pathlib import Path
from typing import Any

from lxml import etree, html

from streamlit_assistant.files.decoding import decode
from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

DAMAGED = "The web page is damaged and cannot be read."
_DECLARED = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,30})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_UNSEEN = {"script", "style", "noscript", "template", "svg", "object", "iframe", "head"}
_HEADINGS = {f"h{level}": f"\n\n{'#' * level} " for level in range(1, 7)}
_BEFORE = _HEADINGS | {"li": "\n- ", "br": "\n", "tr": "\n", "td": "", "th": "", "dt": "\n"}
_AFTER = {"td": " | ", "th": " | ", "li": "", "tr": "", "br": "", "dd": "\n", "dt": "\n"}
_BLOCK_NAMES = """
    address article aside blockquote caption details div dl fieldset figcaption figure footer form
    header hr main nav ol p pre section summary table ul h1 h2 h3 h4 h5 h6
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_CELL_ENDS = re.compile(r"(?<![ \t])[ \t]*\|[ \t]*$", re.MULTILINE)
_SPACES = re.compile(r"[ \t\r\f\v\n]+")
_GAPS = re.compile(r"(?<![ \t])[ \t]*\n[ \t]*(?:\n[ \t]*)+")


def read(path: Path) -> str:
    """Return the text of a web page."""
    text = _XML_DECLARATION.sub("", _decoded(path.read_bytes()), count=1)
    try:
        root = html.document_fromstring(text, parser=html.HTMLParser(huge_tree=True))
    except etree.ParserError:
        return ""  # nothing but comments
    except etree.XMLSyntaxError as error:
        raise Unreadable(INVALID_FILE, DAMAGED) from error
    title = " ".join((root.findtext("head/title") or "").split())
    body = _GAPS.sub("\n\n", _CELL_ENDS.sub("", "".join(_pieces(root))))
    return f"{title}\n\n{body.strip()}".strip()


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(data[:4096])
    try:
        # Pages that say GB2312 mean what browsers take it for.
        name = declared[1].decode().lower() if declared else ""
        return data.decode({"gb2312": "gb18030", "gbk": "gb18030"}.get(name, name))
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _pieces(root: Any) -> list[str]:
    """Walk the page without recursion: some nest more deeply than Python does."""
    pieces: list[str] = []
    unseen, exact = 0, 0
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in ("comment", "pi"):
            pieces.append(_shown(element.tail, unseen, exact))
            continue
        name, is_start = element.tag, event == "start"
        step = 1 if is_start else -1
        unseen += step if name in _UNSEEN else 0
        exact += step if name == "pre" else 0
        edge = (_BEFORE if is_start else _AFTER).get(name, "\n\n" if name in _BLOCKS else "")
        said = _shown(element.text if is_start else element.tail, unseen, exact)
        pieces += [edge, said] if not unseen or not is_start else []
    return pieces


def _shown(text: str | None, unseen: int, exact: int) -> str:
    if unseen or not text:
        return ""
    return text if exact else _SPACES.sub(" ", text)
