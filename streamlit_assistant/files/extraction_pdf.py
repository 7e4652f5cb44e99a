"""The text of PDF documents, page by page. PDFium is not for threads: worker process only."""

import re
from pathlib import Path

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

MOST_PAGES = 20_000
SCANNED = "The file holds no text; a scanned document must be recognised (OCR) first."
PASSWORD = "The PDF is protected by a password; remove it first."
DAMAGED = "The PDF is damaged and cannot be read."
TOO_MANY_PAGES = f"The PDF has more than {MOST_PAGES:,} pages; divide it into several files."

# How PDFium writes the hyphen at which a word was broken.
_BROKEN_WORD = re.compile("[\ufffe\u0002]\\s*")
_EASTERN = "\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60"
# Lines of a paragraph in Chinese or Japanese: there is no space where such a line ends.
_BROKEN_LINE = re.compile(rf"(?<=[{_EASTERN}]{{10}}) *\r?\n *(?=[{_EASTERN}])")


def read(path: Path) -> str:
    """Return the text of a PDF; raise `Unreadable` if it cannot be opened or was scanned."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        locked = error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY)
        raise Unreadable(INVALID_FILE, PASSWORD if locked else DAMAGED) from error
    try:
        if len(document) > MOST_PAGES:
            raise Unreadable(INVALID_FILE, TOO_MANY_PAGES)
        pages = [_page(document, number) for number in range(len(document))]
    finally:
        document.close()
    if not any(page.strip() for page in pages):
        raise Unreadable(INVALID_FILE, SCANNED)
    if len(pages) == 1:
        return pages[0]
    return "\n\n".join(f"Page {number}\n\n{page}" for number, page in enumerate(pages, 1) if page)


def _page(document: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return ""  # one broken page does not take the others with it
    try:
        text_page = page.get_textpage()
        try:
            text = text_page.get_text_range()
        finally:
            text_page.close()
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()
    return _BROKEN_LINE.sub("", _BROKEN_WORD.sub("", text)).strip()
