"""Documents of every kind become text, or say why not."""

import datetime
import os
from pathlib import Path

import pytest

from streamlit_assistant.files import extraction, extraction_office
from streamlit_assistant.files.extraction import extract
from streamlit_assistant.files.unreadable import INVALID_FILE, UNSUPPORTED_FILE, Unreadable
from tests.files import documents
from tests.files.shelf import written


def text_of(folder: Path, name: str, data: bytes) -> str:
    return extract(written(folder, name, data), name)


def refusal(folder: Path, name: str, data: bytes) -> tuple[str, str]:
    with pytest.raises(Unreadable) as caught:
        text_of(folder, name, data)
    return caught.value.code, caught.value.message


def test_the_pages_of_a_pdf_follow_each_other(tmp_path: Path) -> None:
    data = documents.pdf("First things first.", "Second page\nof two lines.")

    text = text_of(tmp_path, "report.pdf", data)

    assert text == "Page 1\n\nFirst things first.\n\nPage 2\n\nSecond page\nof two lines."


def test_a_chinese_pdf_is_read_and_its_broken_lines_are_joined(tmp_path: Path) -> None:
    data = documents.pdf("公司为每位员工提供每年十五天的带薪年\n假，入职满一年后开始计算。")

    text = text_of(tmp_path, "handbook.pdf", data)

    assert text == "公司为每位员工提供每年十五天的带薪年假，入职满一年后开始计算。"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (documents.scanned_pdf(), "scanned document must be recognised (OCR)"),
        (documents.locked_pdf(), "password"),
        (documents.pdf("Hello")[:300], "damaged"),
        (b"%PDF-1.7\nnothing of the kind", "damaged"),
    ],
    ids=["scanned", "locked", "cut off", "nonsense"],
)
def test_a_pdf_without_readable_text_says_why(tmp_path: Path, data: bytes, words: str) -> None:
    code, message = refusal(tmp_path, "scan.pdf", data)

    assert code == INVALID_FILE
    assert words in message


def test_a_pdf_is_known_by_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    assert text_of(tmp_path, "notes.txt", documents.pdf("Hello")) == "Hello"


def test_a_word_document_keeps_headings_lists_and_tables_in_their_order(tmp_path: Path) -> None:
    assert text_of(tmp_path, "policy.docx", documents.word_document()) == "\n\n".join(
        [
            "# Travel policy",
            "# 差旅报销",
            "出差回来后一周内提交发票。",
            "- Book early",
            "City | Limit\nBerlin | 120 EUR",
            "After the table.",
        ]
    )


def test_controls_and_tracked_changes_of_a_word_document_are_read(tmp_path: Path) -> None:
    def run(text: str) -> str:
        return f"<w:r><w:t xml:space='preserve'>{text}</w:t></w:r>"

    def control(inside: str) -> str:
        return f"<w:sdt><w:sdtContent>{inside}</w:sdtContent></w:sdt>"

    cell = f"<w:tc><w:p>{run('City')}</w:p></w:tc>"
    body = (
        control(f"<w:p>{run('Contents')}</w:p>")
        + f"<w:p>{run('Pay ')}<w:ins>{run('fifty ')}</w:ins>"
        + f"<w:del><w:r><w:delText>forty </w:delText></w:r></w:del>{control(run('euros'))}</w:p>"
        + f"<w:tbl><w:tr>{control(cell)}</w:tr></w:tbl>"
    )

    assert text_of(tmp_path, "a.docx", documents.word_xml(body)) == "\n\n".join(
        ["Contents", "Pay fifty euros", "City"]
    )


def test_a_long_table_of_merged_cells_is_read(tmp_path: Path) -> None:
    def row(merge: str, number: int) -> str:
        merged = f"<w:tc><w:tcPr><w:vMerge{merge}/></w:tcPr><w:p/></w:tc>"
        return f"<w:tr>{merged}<w:tc><w:p><w:r><w:t>{number}</w:t></w:r></w:p></w:tc></w:tr>"

    first = row(' w:val="restart"', 0).replace("<w:p/>", "<w:p><w:r><w:t>top</w:t></w:r></w:p>", 1)
    body = f"<w:tbl>{first}{''.join(row('', number) for number in range(1, 3000))}</w:tbl>"

    lines = text_of(tmp_path, "a.docx", documents.word_xml(body)).split("\n")

    assert (len(lines), lines[-1]) == (3000, "top | 2999")


def test_slides_keep_their_titles_tables_and_notes(tmp_path: Path) -> None:
    assert text_of(tmp_path, "talk.pptx", documents.presentation()) == "\n\n".join(
        [
            "# Slide 1: Quarterly results",
            "Revenue grew\n利润增长",
            "Notes: Thank the team",
            "# Slide 2: Figures",
            "North | 42",
        ]
    )


def test_the_rows_of_each_sheet_become_lines(tmp_path: Path) -> None:
    day = datetime.date(2026, 3, 1)
    data = documents.spreadsheet(
        {"预算": [["项目", "金额"], ["差旅", 1200.0], ["total", 3.5]], "Empty": [], "Days": [[day]]}
    )

    assert text_of(tmp_path, "budget.xlsx", data) == (
        "# Sheet: 预算\n\n项目 | 金额\n差旅 | 1200\ntotal | 3.5\n\n# Sheet: Days\n\n2026-03-01"
    )


def test_an_open_document_sheet_is_read(tmp_path: Path) -> None:
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body>'
        '<office:spreadsheet><table:table table:name="One"><table:table-row><table:table-cell'
        ' office:value-type="string"><text:p>cell</text:p></table:table-cell></table:table-row>'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    listed = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    )
    data = documents.archive(
        {
            "mimetype": kind.encode(),
            "content.xml": content.encode(),
            "META-INF/manifest.xml": listed.encode(),
        }
    )

    assert text_of(tmp_path, "sheet.ods", data) == "# Sheet: One\n\ncell"


@pytest.mark.parametrize("name", ["letter.docx", "talk.pptx", "budget.xlsx"])
def test_a_damaged_office_file_says_so(tmp_path: Path, name: str) -> None:
    whole = {
        "letter.docx": documents.word_document(),
        "talk.pptx": documents.presentation(),
        "budget.xlsx": documents.spreadsheet({"A": [["text"]]}),
    }[name]

    assert refusal(tmp_path, name, whole[: len(whole) // 2])[0] == INVALID_FILE


@pytest.mark.parametrize("part", ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"])
def test_a_package_without_its_insides_is_damaged(tmp_path: Path, part: str) -> None:
    code, message = refusal(tmp_path, "letter.docx", documents.archive({part: b"<broken"}))

    assert code == INVALID_FILE
    assert "damaged" in message


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction_office, "MOST_BYTES", 1_000_000)
    data = documents.archive({"word/document.xml": b" " * 2_000_000})

    assert refusal(tmp_path, "bomb.docx", data) == (INVALID_FILE, extraction_office.BOMB)


def test_an_archive_and_old_office_files_say_what_to_do(tmp_path: Path) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    locked = ole + "EncryptedPackage".encode("utf-16-le")

    assert refusal(tmp_path, "all.zip", documents.archive({"a.txt": b"a"}))[0] == UNSUPPORTED_FILE
    assert refusal(tmp_path, "old.doc", ole) == (UNSUPPORTED_FILE, extraction_office.OLD_OFFICE)
    assert refusal(tmp_path, "new.docx", locked) == (INVALID_FILE, extraction_office.PASSWORD)
    assert refusal(tmp_path, "old.rtf", b"{\\rtf1 a}") == (UNSUPPORTED_FILE, extraction.RICH_TEXT)


def test_a_web_page_becomes_what_its_reader_sees(tmp_path: Path) -> None:
    page = """<?xml version="1.0"?><!DOCTYPE html><html><head><title>Our
        shop</title><style>p{}</style></head><body><script>track()</script><h2>Prices</h2>
        <p>All <b>prices</b> include <i>tax</i>.<br>Ask us.</p><ul><li>tea<li>coffee</ul>
        <table><tr><th>What<th>How much</tr><tr><td>tea</td><td>3</td></tr></table>
        <pre>a
  b</pre><!-- hidden -->The end</body></html>"""

    assert text_of(tmp_path, "page", page.encode()) == "\n\n".join(
        [
            "Our shop",
            "## Prices",
            "All prices include tax.\nAsk us.",
            "- tea\n- coffee",
            "What | How much\ntea | 3",
            "a\n  b",
            "The end",
        ]
    )


def test_a_web_page_in_an_encoding_of_its_own_is_read_as_it_declares(tmp_path: Path) -> None:
    page = '<html><meta charset="gb2312"><p>年假</p></html>'.encode("gbk")

    assert text_of(tmp_path, "page.html", page) == "年假"


def test_a_page_nested_more_deeply_than_the_stack_harms_nothing(tmp_path: Path) -> None:
    page = b"<div>" * 200 + b"deep" + b"</div>" * 200

    assert text_of(tmp_path, "page.html", page) == "deep"


def test_a_page_of_nothing_but_space_takes_no_time(tmp_path: Path) -> None:
    page = b"<pre>" + b" " * 1_000_000 + b"|" + b"\t" * 1_000_000 + b"end</pre>"

    assert text_of(tmp_path, "page.html", page).endswith("end")


def test_a_text_that_begins_with_many_comments_takes_no_time(tmp_path: Path) -> None:
    data = b"<!-- a -->\n" * 300 + b"# Title"

    assert text_of(tmp_path, "notes.md", data).endswith("# Title")


def test_json_is_spelled_out(tmp_path: Path) -> None:
    assert "公司" in text_of(tmp_path, "data.json", b'{"name": "\\u516c\\u53f8"}')
    assert text_of(tmp_path, "data.jsonl", b'{"a": "\\u516c"}\nbroken \\u516c\n{"b": 1}') == (
        '{"a": "公"}\nbroken \\u516c\n{"b": 1}'
    )


@pytest.mark.parametrize("name", ["main.py", "table.csv", "notes.md", "Makefile", "a.toml", "x"])
def test_whatever_is_text_is_read_as_it_stands(tmp_path: Path, name: str) -> None:
    text = "first line\n\n    indented = 1\nlast, line"

    assert text_of(tmp_path, name, text.replace("\n", "\r\n").encode()) == text


def test_signs_that_nobody_sees_are_left_out(tmp_path: Path) -> None:
    data = "soft\u00adhy\u200bphen \x08and\x1b[0m\n\n\n\n\n\nspace   \n".encode()

    assert text_of(tmp_path, "notes.txt", data) == "softhyphen and[0m\n\n\nspace"


@pytest.mark.parametrize("data", [b"", b" \n\t\n"], ids=["empty", "blank"])
def test_a_file_without_text_says_so(tmp_path: Path, data: bytes) -> None:
    assert refusal(tmp_path, "notes.txt", data)[0] == INVALID_FILE


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + os.urandom(3000)

    assert refusal(tmp_path, "picture.txt", picture)[0] == UNSUPPORTED_FILE


def test_more_text_than_anybody_searches_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "MOST_TEXT_BYTES", 10)

    assert refusal(tmp_path, "log.txt", b"a long line") == (INVALID_FILE, extraction.TOO_LARGE)
