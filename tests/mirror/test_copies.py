"""What a store is given of the changes of threads, and what it refuses of them."""

from collections.abc import Collection, Sequence

import pytest

from streamlit_assistant.history.entries import Entry
from streamlit_assistant.history.history_errors import HistoryUnavailable, MessageRefused
from streamlit_assistant.mirror.copies import Cleared, Copies, Removed, Step, ThreadChanges
from streamlit_assistant.records import Message
from tests.factories import make_message


class Shelf:
    """Logs in memory that note what is done to them; some refuse, some are away."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.open: list[str] = []
        self.refused: set[str] = set()
        self.away: set[str] = set()
        self.broken: set[str] = set()

    def opened(self, url: str, session_id: str) -> "ShelfLog":
        assert url == "redis://shelf"
        self.open.append(session_id)
        return ShelfLog(self, session_id)


class ShelfLog:
    def __init__(self, shelf: Shelf, name: str) -> None:
        self.shelf = shelf
        self.name = name

    def append(self, entries: Sequence[Entry]) -> None:
        self._do("append", [entry.key for entry in entries])

    def remove(self, keys: Collection[str]) -> None:
        self._do("remove", keys)

    def clear(self) -> None:
        self._do("clear", [])

    def read(self) -> Sequence[str]:
        return []

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        return []

    def close(self) -> None:
        self.shelf.open.remove(self.name)

    def _do(self, what: str, keys: Collection[str]) -> None:
        if self.name in self.shelf.away:
            raise HistoryUnavailable("it is away")
        if self.name in self.shelf.broken:
            raise RuntimeError("handle has been terminated")
        if self.shelf.refused & {what, *keys}:
            raise MessageRefused("too large")
        self.shelf.done.append((self.name, what, *keys))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def copies(shelf: Shelf, most: int = 10) -> Copies:
    return Copies("redis://shelf", shelf.opened, most)


def said(thread_id: str, message_id: str) -> Message:
    return make_message(thread_id, message_id, id=message_id)


def changes(thread_id: str, *steps: Step, numbers: Sequence[int] = ()) -> ThreadChanges:
    return ThreadChanges(thread_id, list(steps), list(numbers))


def test_messages_in_a_row_are_written_at_once_and_removals_between_them(shelf: Shelf) -> None:
    a, b, c = (said("t", name) for name in "abc")

    delivery = copies(shelf).deliver(
        [changes("t", a, b, Removed("a"), Removed("x"), c, Cleared(), numbers=[1, 2, 3, 4, 5, 6])]
    )

    assert shelf.done == [
        ("t", "append", "a", "b"),
        ("t", "remove", "a", "x"),
        ("t", "append", "c"),
        ("t", "clear"),
    ]
    assert delivery.numbers == [1, 2, 3, 4, 5, 6]
    assert delivery.copied == [a, b, c]
    assert (delivery.refused, delivery.error) == ([], None)


def test_a_refused_message_is_left_out_and_its_neighbours_are_not(shelf: Shelf) -> None:
    shelf.refused = {"b"}
    a, b, c = (said("t", name) for name in "abc")

    delivery = copies(shelf).deliver([changes("t", a, b, c, numbers=[1, 2, 3])])

    assert shelf.done == [("t", "append", "a"), ("t", "append", "c")]
    assert delivery.refused == [("t", "b")]
    assert delivery.copied == [a, c]
    assert delivery.numbers == [1, 2, 3]


def test_a_refused_removal_is_told_as_well(shelf: Shelf) -> None:
    shelf.refused = {"clear", "b"}

    delivery = copies(shelf).deliver(
        [changes("t", Removed("a"), Removed("b"), Cleared(), numbers=[1, 2, 3])]
    )

    assert shelf.done == [("t", "remove", "a")]
    assert delivery.refused == [("t", "b"), ("t", "")]
    assert delivery.numbers == [1, 2, 3]


def test_what_came_before_the_store_was_away_is_done_and_nothing_after_it(shelf: Shelf) -> None:
    shelf.away = {"u"}
    a, b, c = said("t", "a"), said("u", "b"), said("v", "c")

    delivery = copies(shelf).deliver(
        [
            changes("t", a, numbers=[1]),
            changes("u", b, numbers=[2]),
            changes("v", c, numbers=[3]),
        ]
    )

    assert shelf.done == [("t", "append", "a")]
    assert delivery.numbers == [1]
    assert delivery.error == "it is away"


def test_a_defect_stops_what_comes_after_it_and_is_told_in_full_once(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.broken = {"u"}
    writing = copies(shelf)
    a, b, c = said("t", "a"), said("u", "b"), said("v", "c")

    for _ in range(3):
        delivery = writing.deliver([changes(m.thread_id, m, numbers=[1]) for m in (a, b, c)])
        assert (delivery.copied, delivery.error) == ([a], "RuntimeError")

    [told] = caplog.records
    assert told.exc_info is not None


def test_a_thread_whose_messages_are_gone_is_not_opened(shelf: Shelf) -> None:
    delivery = copies(shelf).deliver([changes("t", numbers=[1, 2])])

    assert shelf.open == []
    assert delivery.numbers == [1, 2]


def test_logs_stay_open_but_not_all_of_them(shelf: Shelf) -> None:
    writing = copies(shelf, most=2)
    for thread_id in ("t", "u", "t", "v"):
        writing.deliver([changes(thread_id, said(thread_id, "a"))])

    assert shelf.open == ["t", "v"]
    writing.close()
    assert shelf.open == []
