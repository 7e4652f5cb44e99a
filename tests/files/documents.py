"""Small documents of every kind, made for the tests that read them."""

import io
import zipfile
from collections.abc import Mapping, Sequence

import docx
import pptx
import xlsxwriter
from docx.oxml import parse_xml

_PIXEL = b"\xff\x00\x00"


def pdf(*pages: str) -> bytes:
    """A PDF whose font is not in it: what its characters mean says a map, as in many real ones."""
    letters = sorted({letter for page in pages for letter in page if letter != "\n"})
    codes = {letter: code for code, letter in enumerate(letters, 1)}
    mapped = "\n".join(f"<{code:04x}> <{_utf16(letter)}>" for letter, code in codes.items())
    meaning = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /M def\n"
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{mapped}\nendbfchar endcmap end end"
    )
    objects: list[str | bytes] = [
        *("<< /Type /Catalog /Pages 2 0 R >>", _page_list(range(7, 7 + 2 * len(pages), 2))),
        "<< /Type /Font /Subtype /Type0 /BaseFont /None /Encoding /Identity-H "
        "/DescendantFonts [4 0 R] /ToUnicode 6 0 R >>",
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /None /FontDescriptor 5 0 R /DW 1000 "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        "<< /Type /FontDescriptor /FontName /None /Flags 4 /FontBBox [0 0 1000 1000] "
        "/ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>",
        _stream(meaning.encode()),
    ]
    for number, page in enumerate(pages):
        objects.append(_page(8 + 2 * number, "/Font << /F 3 0 R >>"))
        objects.append(_stream(_shown(page, codes)))
    return _assembled(objects)


def scanned_pdf() -> bytes:
    """A PDF that is only a picture."""
    image = (
        f"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceRGB "
        f"/BitsPerComponent 8 /Length {len(_PIXEL)} >>\nstream\n"
    ).encode()
    return _assembled(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            _page_list([3]),
            _page(4, "/XObject << /I 5 0 R >>"),
            _stream(b"q 500 0 0 700 0 0 cm /I Do Q"),
            image + _PIXEL + b"\nendstream",
        ]
    )


def locked_pdf() -> bytes:
    """A PDF that asks for a password."""
    lock = (
        f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'ab' * 32}> /U <{'cd' * 32}> >> "
        f"/ID [<{'01' * 16}> <{'01' * 16}>]"
    )
    return _assembled(["<< /Type /Catalog /Pages 2 0 R >>", _page_list([])], lock)


def word_document() -> bytes:
    """A Word document with headings, a list and a table, in two languages."""
    document = docx.Document()
    document.add_heading("Travel policy", 0)
    document.add_heading("差旅报销", 1)
    document.add_paragraph("出差回来后一周内提交发票。")
    document.add_paragraph("Book early", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells],
        ["City", "Limit", "Berlin", "120 EUR"],
        strict=True,
    ):
        cell.text = text
    document.add_paragraph("After the table.")
    return _saved(document)


def word_xml(body: str) -> bytes:
    """A Word document with this inside."""
    document = docx.Document()
    element = document.element.body
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    for child in parse_xml(f'<w:body xmlns:w="{space}">{body}</w:body>'):
        element.append(child)
    return _saved(document)


def presentation() -> bytes:
    """Slides with a title, text, a table and notes."""
    slides = pptx.Presentation()
    first = slides.slides.add_slide(slides.slide_layouts[1])
    first.shapes.title.text = "Quarterly results"
    first.placeholders[1].text = "Revenue grew\n利润增长"
    first.notes_slide.notes_text_frame.text = "Thank the team"
    second = slides.slides.add_slide(slides.slide_layouts[5])
    second.shapes.title.text = "Figures"
    table = second.shapes.add_table(1, 2, 0, 0, 100, 100).table
    table.cell(0, 0).text, table.cell(0, 1).text = "North", "42"
    return _saved(slides)


def spreadsheet(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """An Excel workbook."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"default_date_format": "yyyy-mm-dd"}) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return buffer.getvalue()


def sparse_spreadsheet(*cells: str) -> bytes:
    """An Excel workbook with text in these cells only."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as workbook:
        sheet = workbook.add_worksheet()
        for cell in cells:
            sheet.write(cell, "text")
    return buffer.getvalue()


def archive(parts: Mapping[str, bytes]) -> bytes:
    """A ZIP file with these parts, packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name, data)
    return buffer.getvalue()


def _saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def _utf16(letter: str) -> str:
    return letter.encode("utf-16-be").hex()


def _page_list(numbers: Sequence[int]) -> str:
    kids = " ".join(f"{number} 0 R" for number in numbers)
    return f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>"


def _page(content: int, resources: str) -> str:
    return (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] "
        f"/Resources << {resources} >> /Contents {content} 0 R >>"
    )


def _shown(page: str, codes: Mapping[str, int]) -> bytes:
    lines = [
        f"<{''.join(f'{codes[letter]:04x}' for letter in line)}> Tj 0 -16 Td"
        for line in page.split("\n")
    ]
    return f"BT /F 10 Tf 20 760 Td {' '.join(lines)} ET".encode()


def _stream(data: bytes) -> bytes:
    return f"<< /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _assembled(objects: Sequence[str | bytes], trailer: str = "") -> bytes:
    data = b"%PDF-1.7\n"
    places = []
    for number, item in enumerate(objects, 1):
        places.append(len(data))
        body = item.encode() if isinstance(item, str) else item
        data += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    data += f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\n".encode()
    return data + f"startxref\n{start}\n%%EOF\n".encode()
