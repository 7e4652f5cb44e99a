"""The text of Word documents: headings, paragraphs, lists and tables in their order."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.document import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph
from lxml.etree import XMLSyntaxError

from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

DAMAGED = "The Word document is damaged and cannot be read."
_HEADING = re.compile(r"heading (\d)|(title)", re.IGNORECASE)


def read(path: Path) -> str:
    """Return the text; headings and lists are marked as in Markdown, tables a line a row."""
    try:
        with path.open("rb") as file:
            document = docx.Document(file)
    except (
        PackageNotFoundError,
        XMLSyntaxError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
    ) as error:
        raise Unreadable(INVALID_FILE, DAMAGED) from error
    return "\n\n".join(block for block in _blocks(document) if block)


def _blocks(container: Document | _Cell) -> Iterator[str]:
    for item in container.iter_inner_content():
        yield _table(item) if isinstance(item, Table) else _paragraph(item)


def _paragraph(paragraph: Paragraph) -> str:
    text = paragraph.text.strip()
    style = (paragraph.style.name or "") if text and paragraph.style else ""
    if heading := _HEADING.match(style):
        return f"{'#' * int(heading[1] or 1)} {text}"
    return f"- {text}" if style.startswith("List") else text


def _table(table: Table) -> str:
    return "\n".join(filter(None, map(_row, _cells(table))))


def _cells(table: Table) -> Iterator[list[_Cell]]:
    for row in table.rows:
        # A merged cell is given once for each column that it covers.
        yield list({cell._tc: cell for cell in row.cells}.values())


def _row(cells: list[_Cell]) -> str:
    texts = [" ".join(" ".join(_blocks(cell)).split()) for cell in cells]
    return " | ".join(texts) if any(texts) else ""
