"""The text of Word documents: headings, paragraphs, lists and tables in their order.

The XML is walked directly: python-docx leaves out what stands in content controls or was inserted
with changes being tracked, and takes quadratic time for merged cells.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docx
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn
from lxml.etree import XMLSyntaxError

from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

DAMAGED = "The Word document is damaged and cannot be read."
_HEADING = re.compile(r"heading (\d)|(title)", re.IGNORECASE)
_PARAGRAPH, _TABLE, _ROW, _CELL, _TEXT = map(qn, ("w:p", "w:tbl", "w:tr", "w:tc", "w:t"))
_STYLE, _VALUE = f"{qn('w:pPr')}/{qn('w:pStyle')}", qn("w:val")
_MERGED, _SPAN = (f"{qn('w:tcPr')}/{qn(name)}" for name in ("w:vMerge", "w:gridSpan"))
_BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
# Text that was deleted or moved away, the pictures' second versions, and what only describes.
_UNSEEN = frozenset(
    [
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
        *map(qn, ("w:del", "w:moveFrom", "w:pPr", "w:rPr", "w:tblPr", "w:tcPr", "w:sdtPr")),
    ]
)


def read(path: Path) -> str:
    """Return the text; headings and lists are marked as in Markdown, tables a line a row."""
    try:
        with path.open("rb") as file:
            document = docx.Document(file)
        styles = {style.style_id: style.name or "" for style in document.styles}
    except (
        PackageNotFoundError,
        XMLSyntaxError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
    ) as error:
        raise Unreadable(INVALID_FILE, DAMAGED) from error
    return "\n\n".join(filter(None, _blocks(document.element.body, styles)))


def _blocks(container: Any, styles: Mapping[str, str]) -> Iterator[str]:
    for item in _nearest(container, _PARAGRAPH, _TABLE):
        if item.tag == _PARAGRAPH:
            yield _paragraph(item, styles)
        else:
            yield "\n".join(filter(None, _rows(item, styles)))


def _paragraph(paragraph: Any, styles: Mapping[str, str]) -> str:
    text = "".join(_pieces(paragraph)).strip()
    named = paragraph.find(_STYLE)
    style = styles.get(named.get(_VALUE), "") if text and named is not None else ""
    if heading := _HEADING.match(style):
        return f"{'#' * int(heading[1] or 1)} {text}"
    return f"- {text}" if style.startswith("List") else text


def _rows(table: Any, styles: Mapping[str, str]) -> Iterator[str]:
    above: dict[int, str] = {}  # by column: what merged cells repeat in every row
    for row in _nearest(table, _ROW):
        texts: list[str] = []
        column = 0
        for cell in _nearest(row, _CELL):
            text = " ".join(" ".join(_blocks(cell, styles)).split())
            merged, span = cell.find(_MERGED), cell.find(_SPAN)
            if merged is not None and merged.get(_VALUE) != "restart":
                text = text or above.get(column, "")
            above[column] = text
            texts.append(text)
            column += int(span.get(_VALUE, 1)) if span is not None else 1
        yield " | ".join(texts) if any(texts) else ""


def _nearest(container: Any, *tags: str) -> Iterator[Any]:
    """Give the elements of these kinds that stand in no other of them."""
    for child in container:
        if child.tag in tags:
            yield child
        elif child.tag not in _UNSEEN:
            yield from _nearest(child, *tags)


def _pieces(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == _TEXT:
            yield child.text or ""
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag == _PARAGRAPH:  # in a text box
            yield "\n" + "".join(_pieces(child))
        elif child.tag not in _UNSEEN:
            yield from _pieces(child)
