"""The text of spreadsheets (XLSX, XLS, ODS): sheet by sheet, a line a row."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

MOST_CELLS = 20_000_000
DAMAGED = "The spreadsheet is damaged and cannot be read."
PASSWORD = "The spreadsheet is protected by a password; remove it first."
TOO_LARGE = f"The spreadsheet has more than {MOST_CELLS:,} cells; divide it into several files."

Cell = int | float | str | bool | date | datetime | time | timedelta


def read(path: Path) -> str:
    """Return the text, each sheet under a heading with its name."""
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = [_sheet(workbook, name) for name in workbook.sheet_names]
    except PasswordError as error:
        raise Unreadable(INVALID_FILE, PASSWORD) from error
    except CalamineError as error:
        raise Unreadable(INVALID_FILE, DAMAGED) from error
    return "\n\n".join(sheet for sheet in sheets if sheet)


def _sheet(workbook: CalamineWorkbook, name: str) -> str:
    sheet = workbook.get_sheet_by_name(name)
    if sheet.width * sheet.height > MOST_CELLS:
        raise Unreadable(INVALID_FILE, TOO_LARGE)
    lines = [_line(row) for row in sheet.iter_rows()]
    kept = [line for line in lines if line]
    return "\n".join([f"# Sheet: {name}\n", *kept]) if kept else ""


def _line(row: list[Cell]) -> str:
    texts = [_text(cell) for cell in row]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(" ").removesuffix(" 00:00:00")
    return " ".join(str(cell).split())
