"""The text of presentations: slide by slide, with tables and the speaker's notes."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pptx
from lxml.etree import XMLSyntaxError
from pptx.exc import PackageNotFoundError
from pptx.slide import Slide

from streamlit_assistant.files.unreadable import INVALID_FILE, Unreadable

DAMAGED = "The presentation is damaged and cannot be read."


def read(path: Path) -> str:
    """Return the text, each slide under a heading with its number."""
    try:
        presentation = pptx.Presentation(str(path))
        slides = [_slide(number, slide) for number, slide in enumerate(presentation.slides, 1)]
    except (
        PackageNotFoundError,
        XMLSyntaxError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
    ) as error:
        raise Unreadable(INVALID_FILE, DAMAGED) from error
    return "\n\n".join(filter(None, slides))


def _slide(number: int, slide: Slide) -> str:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    # Shapes are made anew each time they are asked for; their ids stay.
    titled = title.shape_id if title is not None else None
    blocks = [text for text in _texts(slide.shapes, titled) if text]
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
        blocks += [f"Notes: {notes.text.strip()}"] if notes.text.strip() else []
    if not heading and not blocks:
        return ""
    return "\n\n".join([f"# Slide {number}: {heading}".removesuffix(": "), *blocks])


def _texts(shapes: Iterable[Any], titled: int | None) -> Iterator[str]:
    for shape in shapes:
        if shape.shape_id == titled:
            continue
        if hasattr(shape, "shapes"):  # a group
            yield from _texts(shape.shapes, titled)
        elif shape.has_text_frame:
            yield shape.text_frame.text.replace("\v", "\n").strip()
        elif getattr(shape, "has_table", False):
            yield "\n".join(_row(row) for row in shape.table.rows)


def _row(row: Any) -> str:
    return " | ".join(" ".join(cell.text_frame.text.split()) for cell in row.cells)
