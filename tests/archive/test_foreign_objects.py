"""Objects that somebody else has written: nothing comes back but the rows of one thread."""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from streamlit_assistant.archive import thread_object
from streamlit_assistant.archive.archive_errors import BrokenObject
from tests.archive.archived_site import ArchivedSite

pytestmark = pytest.mark.both_databases

Rows = list[dict[str, Any]]  # 0 is the thread, 1-3 its messages, 4-5 its runs, 6-9 their steps
REFUSED: list[tuple[Callable[[Rows], object], str]] = [
    (lambda rows: rows.pop(0), "it holds no thread"),
    (lambda rows: rows.insert(1, rows[0]), "it holds more than one thread"),
    (lambda rows: rows.append(rows.pop(1)), "its messages are in disorder"),
    (lambda rows: rows.clear(), "it holds no thread"),
    (lambda rows: set_in(rows[0], id="thread_c"), "some of its threads are of another thread"),
    (lambda rows: set_in(rows[2], thread_id="thread_b"), "messages are of another thread"),
    (lambda rows: set_in(rows[4], thread_id="thread_b"), "runs are of another thread"),
    (lambda rows: set_in(rows[6], thread_id="thread_b"), "run_steps are of another thread"),
    (lambda rows: set_in(rows[6], run_id="run_b0"), "run_steps are of another run"),
    (lambda rows: set_in(rows[4], status="queued"), "one of its runs has not ended"),
    (lambda rows: set_in(rows[0], owner=None), "threads with a wrong kind of owner"),
    (lambda rows: set_in(rows[0], temporary="yes"), "threads with a wrong kind of temporary"),
    (lambda rows: set_in(rows[1], role=["user"]), "messages with a wrong kind of role"),
    (lambda rows: set_in(rows[1], created_at="now"), "messages with a wrong kind of created_at"),
    (lambda rows: set_in(rows[1], created_at=float("nan")), "a wrong kind of created_at"),
    (lambda rows: set_in(rows[1], created_at=2**63), "a wrong kind of created_at"),
    (lambda rows: set_in(rows[1], seq=-1), "messages with a wrong kind of seq"),
    (lambda rows: set_in(rows[1], seq="1"), "it is damaged"),
    (lambda rows: set_in(rows[1], reasoning="\ud800"), "it is damaged"),
    (lambda rows: set_in(rows[2], mood="good"), "its messages are in disorder"),
    (lambda rows: rows[0]["row"].pop("owner"), "its threads lack owner"),
    (lambda rows: rows[3]["row"].pop("content"), "its messages are in disorder"),
]


def set_in(line: dict[str, Any], **values: Any) -> None:
    line["row"].update(values)


async def archived(site: ArchivedSite) -> list[dict[str, Any]]:
    """Move a thread out and return the lines of its object; another is in the database."""
    name = site.fill("a")
    await site.move()
    site.fill("b")
    text = gzip.decompress(site.object(name).read_bytes())
    return [json.loads(line) for line in text.splitlines()]


def write(site: ArchivedSite, header: dict[str, Any], rows: Rows) -> None:
    """Write an object with a checksum that is right."""
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    counts = Counter(row["table"] for row in rows)
    end = {"end": counts, "sha256": hashlib.sha256(lines).hexdigest()}
    first, last = (f"{json.dumps(line)}\n".encode() for line in (header, end))
    site.object("thread_a").write_bytes(gzip.compress(first + lines + last))


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=[words for _, words in REFUSED])
async def test_rows_that_are_not_of_the_thread_are_refused(
    site: ArchivedSite, change: Callable[[Rows], object], words: str
) -> None:
    header, *rows, _ = await archived(site)
    change(rows)
    write(site, header, rows)
    before = site.rows()

    said = [await site.restore("thread_a", dry_run=tries) for tries in (True, False)]

    for one in said:
        assert (one.code, one.out) == (1, "")
        assert words in one.complaints
    assert site.rows() == before


async def test_the_same_rows_unchanged_come_back(site: ArchivedSite) -> None:
    header, *rows, _ = await archived(site)
    write(site, header, rows)

    assert (await site.restore("thread_a")).out == "thread_a: restored\n"


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 5},
        {"title": ["t"]},
        {"title": "\ud800"},
        {"schema": 5},
        {"messages": [1]},
        {"last_active_at": 10**18},
        {"last_active_at": "2020"},
        {"created_at": None},
    ],
    ids=str,
)
async def test_a_strange_first_line_does_not_end_the_list(
    site: ArchivedSite, wrong: dict[str, Any]
) -> None:
    header, *rows, _ = await archived(site)
    write(site, header | wrong, rows)
    await site.move()

    listed = await site.listed()

    assert (listed.code, listed.out.split()[0]) == (1, "thread_b")
    assert "thread_a cannot be restored" in listed.complaints


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_json_that_is_too_deep_is_refused(bracket: bytes) -> None:
    with pytest.raises(BrokenObject, match="damaged"):
        thread_object.parsed(bracket * 100_000)


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_object, "LONGEST_LINE", 4 << 20)
    packed = gzip.compress(bytes(64 << 20), compresslevel=1)

    with pytest.raises(BrokenObject, match="a line without an end"):
        thread_object.check([packed], "thread_a")
