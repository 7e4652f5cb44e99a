"""An object of the archive: whatever is wrong with it is noticed before anything is restored."""

import io
import random
import zlib
from collections.abc import Iterator

import pytest

from streamlit_assistant.archive import thread_object
from streamlit_assistant.archive.archive_errors import ArchiveError, BrokenObject
from streamlit_assistant.archive.thread_object import Header, ObjectWriter, check, pieces
from streamlit_assistant.store.archived_rows import StoredRow

HEADER = Header("thread_a", "A title", 1, 2, 3, 4)
THREAD = StoredRow("threads", {"seq": 1, "id": "thread_a"})
ROWS = [
    THREAD,
    *(StoredRow("messages", {"seq": i, "text": f"{i} 你好🙂\u2028"}) for i in range(50)),
]


def written(rows: list[StoredRow], header: Header = HEADER) -> bytes:
    file = io.BytesIO()
    writer = ObjectWriter(file, header)
    for row in rows:
        writer.add(row.table, [row.line])
    writer.end()
    return file.getvalue()


def chunks(data: bytes, size: int = 100) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_what_was_written_is_read_in_whatever_chunks_it_comes(size: int) -> None:
    data = written(ROWS)

    checked = check(chunks(data, size), "thread_a")

    assert (checked.header, checked.rows) == (HEADER, {"threads": 1, "messages": 50})
    assert checked.newest == {"threads": 1, "messages": 49}
    assert [row for piece in pieces(chunks(data, size)) for row in piece] == ROWS


def test_pieces_are_of_one_table_and_of_a_bearable_size() -> None:
    short = [StoredRow("messages", {"seq": i}) for i in range(2500)]
    long = [StoredRow("runs", {"seq": i, "text": "x" * 600_000}) for i in range(5)]

    sizes = [len(piece) for piece in pieces(chunks(written([THREAD, *short, *long])))]

    assert sizes == [1, 1000, 1000, 500, 2, 2, 1]


def test_long_lines_are_read_whole() -> None:
    long = StoredRow("messages", {"seq": 1, "text": "长" * 3_000_000})

    assert [*pieces(chunks(written([THREAD, long]), 1 << 16))] == [[THREAD], [long]]


def test_wherever_it_is_cut_it_is_broken() -> None:
    data = written(ROWS)

    for length in range(len(data)):
        with pytest.raises(BrokenObject):
            check(chunks(data[:length]), "thread_a")


def test_whatever_byte_is_another_it_is_broken() -> None:
    data = written(ROWS)
    whole = check(chunks(data), "thread_a")
    dice = random.Random(1)

    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << dice.randrange(8)
        try:
            checked = check(chunks(bytes(damaged)), "thread_a")
        except ArchiveError:
            continue
        assert checked == whole, position  # one of the few bits that say nothing


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null\n",
        b"{}\n",
        b'{"archive": "another kind", "format": 1}\n',
        b'{"archive": "streamlit-assistant thread", "format": 1}\n',
        b"not json\n",
        b"\xff\n",
    ],
)
def test_other_texts_are_no_threads(text: bytes) -> None:
    packer = zlib.compressobj(wbits=thread_object.GZIP)
    data = packer.compress(text) + packer.flush()

    with pytest.raises(BrokenObject):
        check(chunks(data), "thread_a")


def test_the_object_of_another_thread_is_refused() -> None:
    with pytest.raises(BrokenObject, match="thread_a"):
        check(chunks(written(ROWS)), "thread_b")


def test_something_behind_the_end_is_noticed() -> None:
    with pytest.raises(BrokenObject, match="behind"):
        check(chunks(written(ROWS) + b"more"), "thread_a")


def test_rows_of_unknown_tables_are_refused() -> None:
    with pytest.raises(BrokenObject, match="moods"):
        check(chunks(written([THREAD, StoredRow("moods", {"seq": 1})])), "thread_a")


def test_a_newer_format_is_refused_as_such() -> None:
    newer = Header("thread_a", None, 1, 2, 3, 4, format=2)

    with pytest.raises(ArchiveError, match="newer version"):
        check(chunks(written(ROWS, newer)), "thread_a")


def test_the_first_line_is_read_from_the_beginning_alone() -> None:
    data = written([StoredRow("messages", {"seq": i, "text": random.random()}) for i in range(999)])

    line = thread_object.first_line(data[:4096])

    assert len(data) > 8192
    assert thread_object.read_header(line) == HEADER
