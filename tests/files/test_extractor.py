"""Documents are read in a process of its own, and none harms the next."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from streamlit_assistant.files import extraction_worker
from streamlit_assistant.files.extractor import DIED, TOO_LARGE, TOO_SLOW, Extractor
from streamlit_assistant.files.reader_complaints import log_complaints
from streamlit_assistant.files.unreadable import INVALID_FILE, SERVER_ERROR, NotRead, Unreadable
from tests.bench.texts import english
from tests.files import documents
from tests.files.shelf import written

SOON = 20.0


@pytest.fixture
async def extractor() -> AsyncIterator[Extractor]:
    opened = Extractor()
    yield opened
    await opened.close()
    assert readers() == []


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return written(tmp_path, "note.txt", "年假有十五天。".encode())


def readers() -> list[psutil.Process]:
    """The processes that read documents, zombies included; a database may be a child as well."""
    return [child for child in psutil.Process().children() if is_reader(child)]


def is_reader(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:  # a zombie has none any more
        command = []
    return not command or extraction_worker.__name__ in command


async def read(extractor: Extractor, path: Path, name: str = "note.txt") -> list[str]:
    return [piece.text for piece in await extractor.read(path, name, 800, 400)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


async def until_reading() -> psutil.Process:
    # Busy for longer than starting takes.
    await until(lambda: any(process.cpu_times().user > 0.5 for process in readers()))
    return readers()[0]


def endless(folder: Path) -> Path:
    """A document that takes a while."""
    return written(folder, "long.txt", (english(1_000_000) * 40).encode())


async def test_no_process_is_started_before_it_is_needed(extractor: Extractor) -> None:
    assert readers() == []


async def test_documents_of_all_sizes_come_back_whole(extractor: Extractor, tmp_path: Path) -> None:
    text = english(3_000_000)
    path = written(tmp_path, "book.txt", text.encode())

    chunks = await extractor.read(path, "book.txt", 800, 400)

    assert len(chunks) > 1_000
    assert all(text[piece.start :].startswith(piece.text) for piece in chunks)
    assert all(piece.terms for piece in chunks)


async def test_one_process_reads_one_document_after_the_other(
    extractor: Extractor, note: Path
) -> None:
    results = await asyncio.gather(*(read(extractor, note) for _ in range(5)))

    assert results == [["年假有十五天。"]] * 5
    assert len(readers()) == 1


async def test_more_documents_are_read_at_once_where_that_is_wanted(note: Path) -> None:
    extractor = Extractor(workers=2)
    await asyncio.gather(*(read(extractor, note) for _ in range(5)))

    assert len(readers()) == 2
    await extractor.close()
    assert readers() == []


async def test_a_refusal_says_why_and_the_process_goes_on(
    extractor: Extractor, note: Path, tmp_path: Path
) -> None:
    scan = written(tmp_path, "scan.pdf", documents.scanned_pdf())
    await read(extractor, note)
    (before,) = readers()

    with pytest.raises(Unreadable, match="OCR") as caught:
        await read(extractor, scan, "scan.pdf")

    assert caught.value.code == INVALID_FILE
    assert await read(extractor, note) == ["年假有十五天。"]
    assert readers() == [before]


async def test_a_killed_process_fails_its_document_and_not_the_next(
    extractor: Extractor, note: Path, tmp_path: Path
) -> None:
    reading = asyncio.create_task(read(extractor, endless(tmp_path)))
    (await until_reading()).send_signal(signal.SIGKILL)

    with pytest.raises(Unreadable) as caught:
        await reading

    assert (caught.value.code, caught.value.message) == (SERVER_ERROR, DIED)
    assert await read(extractor, note) == ["年假有十五天。"]


async def test_a_sheet_as_large_as_they_come_is_refused_in_plain_words(
    extractor: Extractor, note: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = documents.sparse_spreadsheet("A1", "XFD1048576")

    with pytest.raises(Unreadable) as caught:
        await read(extractor, written(tmp_path, "corners.xlsx", data), "corners.xlsx")

    assert (caught.value.code, caught.value.message) == (INVALID_FILE, TOO_LARGE)
    assert await read(extractor, note) == ["年假有十五天。"]
    await until(lambda: "memory allocation" in caplog.text)


async def test_what_goes_wrong_in_the_process_is_logged_without_the_documents_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(
        b'Traceback (most recent call last):\n  File "/app/reader.py", line 7, in read\n'
        b"    parse(text)\nlxml.etree.XMLSyntaxError: my secret\nmy secret line\n"
    )
    stream.feed_eof()

    with caplog.at_level(logging.WARNING):
        await log_complaints(stream)

    assert 'File "/app/reader.py", line 7; lxml.etree.XMLSyntaxError' in caplog.text
    assert "secret" not in caplog.text


async def test_a_complaint_that_comes_in_pieces_is_logged_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = asyncio.StreamReader()
    logging_it = asyncio.create_task(log_complaints(stream))
    with caplog.at_level(logging.WARNING):
        for piece in (b"note\nmemory allocation of ", b"549755813888", b" bytes failed"):
            stream.feed_data(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        stream.feed_eof()
        await logging_it

    assert "memory allocation of 549755813888 bytes failed" in caplog.text


async def test_a_process_that_cannot_be_started_says_nothing_about_the_document(
    extractor: Extractor, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(NotRead):
            await read(extractor, note)

    assert await read(extractor, note) == ["年假有十五天。"]


async def test_the_signal_that_ends_a_service_fails_no_document(
    extractor: Extractor, tmp_path: Path
) -> None:
    text = written(tmp_path, "long.txt", (english(1_000_000) * 4).encode())
    reading = asyncio.create_task(read(extractor, text))
    process = await until_reading()
    process.send_signal(signal.SIGTERM)

    assert await reading


async def test_nothing_is_loaded_from_the_folder_the_server_was_started_in(
    extractor: Extractor, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toktok.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)

    assert await read(extractor, note) == ["年假有十五天。"]


async def test_a_process_killed_while_idle_is_replaced(extractor: Extractor, note: Path) -> None:
    await read(extractor, note)
    readers()[0].send_signal(signal.SIGKILL)
    await until(lambda: not readers())

    assert await read(extractor, note) == ["年假有十五天。"]


async def test_a_document_that_takes_too_long_is_given_up(note: Path, tmp_path: Path) -> None:
    extractor = Extractor(document_seconds=1.0)

    with pytest.raises(Unreadable) as caught:
        await read(extractor, endless(tmp_path))

    assert (caught.value.code, caught.value.message) == (SERVER_ERROR, TOO_SLOW)
    assert await read(extractor, note) == ["年假有十五天。"]
    await extractor.close()
    assert readers() == []


async def test_a_cancelled_document_leaves_no_answer_for_the_next(
    extractor: Extractor, note: Path, tmp_path: Path
) -> None:
    reading = asyncio.create_task(read(extractor, endless(tmp_path)))
    await until_reading()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert await read(extractor, note) == ["年假有十五天。"]


async def test_a_process_without_work_ends(note: Path) -> None:
    extractor = Extractor(idle_seconds=0.1)
    await read(extractor, note)
    await until(lambda: not readers())

    assert await read(extractor, note) == ["年假有十五天。"]
    await extractor.close()


async def test_a_process_that_was_closed_in_the_middle_leaves_none_behind(tmp_path: Path) -> None:
    extractor = Extractor()
    await read(extractor, written(tmp_path, "note.txt", b"a note"))
    reading = asyncio.create_task(read(extractor, endless(tmp_path)))
    await until_reading()

    await extractor.close()

    with pytest.raises(Unreadable):
        await reading
    await extractor.close()
    assert readers() == []


async def test_the_process_knows_no_keys_and_makes_way_for_others(
    extractor: Extractor, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    await read(extractor, note)
    (reader,) = readers()

    assert "OPENAI_API_KEY" not in reader.environ()
    assert reader.nice() == min(os.nice(0) + 10, 19)


async def test_the_process_loads_nothing_but_what_the_document_needs(
    extractor: Extractor, note: Path
) -> None:
    await read(extractor, note)
    (reader,) = readers()

    mapped = " ".join(item.path for item in reader.memory_maps())
    for library in ("numpy", "lxml", "pdfium", "sqlalchemy", "pydantic"):
        assert library not in mapped


async def test_the_loop_goes_on_while_documents_are_read(
    extractor: Extractor, tmp_path: Path
) -> None:
    path = written(tmp_path, "book.txt", english(3_000_000).encode())
    reading = asyncio.create_task(extractor.read(path, "book.txt", 800, 400))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.005)
        turns += 1

    assert turns > 20
