"""The text of Office documents: which kind a package is, and that it is safe to unpack."""

import importlib
import zipfile
from pathlib import Path

from streamlit_assistant.files.unreadable import INVALID_FILE, UNSUPPORTED_FILE, Unreadable

MOST_BYTES = 512 * 1024 * 1024  # unpacked
MOST_PARTS = 50_000

DAMAGED = "The file is damaged and cannot be read."
BOMB = "The file unpacks to more than can be read."
PASSWORD = "The file is protected by a password; remove it first."
OLD_OFFICE = "Old Word and PowerPoint files cannot be read; save it as DOCX or PPTX first."
ARCHIVE = "An archive cannot be searched; upload the files in it one by one."

# The part by which each kind is known, and who reads it.
_PARTS = {
    "word/document.xml": "extraction_docx",
    "ppt/presentation.xml": "extraction_pptx",
    "xl/workbook.xml": "extraction_sheets",
    "xl/workbook.bin": "extraction_sheets",
}
_SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
_ZIP = b"PK"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WORKBOOK = ("Workbook".encode("utf-16-le"), "Book".encode("utf-16-le"))


def read(path: Path) -> str:
    """Return the text of a document in a package; raise `Unreadable` if it is of no known kind."""
    with path.open("rb") as file:
        is_zip = file.read(2) == _ZIP
    module = _reader(path) if is_zip else _old_reader(path)
    reader = importlib.import_module(f"streamlit_assistant.files.{module}")
    return str(reader.read(path))


def _reader(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_BYTES:
                raise Unreadable(INVALID_FILE, BOMB)
            names = {part.filename.lstrip("/") for part in parts}
            if "mimetype" in names and package.read("mimetype").strip() == _SPREADSHEET:
                return "extraction_sheets"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, KeyError) as error:
        raise Unreadable(INVALID_FILE, DAMAGED) from error
    for name, reader in _PARTS.items():
        if name in names:
            return reader
    raise Unreadable(UNSUPPORTED_FILE, ARCHIVE)


def _old_reader(path: Path) -> str:
    data = path.read_bytes()
    if _ENCRYPTED in data:
        raise Unreadable(INVALID_FILE, PASSWORD)
    if not any(name in data for name in _WORKBOOK):
        raise Unreadable(UNSUPPORTED_FILE, OLD_OFFICE)
    return "extraction_sheets"
