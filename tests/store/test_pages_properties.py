"""Pages of a list, held against a plain list: every cursor, order and limit, whatever is in it."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlit_assistant.errors import NotFound
from streamlit_assistant.records import Message, Page, PageQuery, Thread
from streamlit_assistant.store import Store
from tests.factories import OWNER, make_message, make_thread

LONGEST = 9
LIMITS = st.integers(min_value=1, max_value=LONGEST + 2)
ORDERS = st.sampled_from(["asc", "desc"])
# The number of an item, or no cursor.
CURSORS = st.none() | st.integers(min_value=0, max_value=LONGEST - 1)


@dataclass(frozen=True)
class Asked:
    """A page, with its cursors as places in the list from old to new."""

    limit: int
    order: str
    after: int | None
    before: int | None

    def query(self, ids: Sequence[str]) -> PageQuery:
        """What is asked of the store."""
        after = None if self.after is None else ids[self.after]
        before = None if self.before is None else ids[self.before]
        return PageQuery(self.limit, self.order, after, before)

    def expected(self, ids: Sequence[str]) -> tuple[list[str], bool]:
        """What a plain list gives: the items, and whether there are more that way."""
        listed = list(ids) if self.order == "asc" else list(ids)[::-1]
        first = 0 if self.after is None else listed.index(ids[self.after]) + 1
        last = len(listed) if self.before is None else listed.index(ids[self.before])
        between = listed[first:last]
        nearest_to_the_end = self.before is not None and self.after is None
        kept = between[-self.limit :] if nearest_to_the_end else between[: self.limit]
        return kept, len(between) > len(kept)


ASKED = st.builds(Asked, LIMITS, ORDERS, CURSORS, CURSORS)


class Listed:
    """A store with two owners and their threads, made once and only read."""

    def __init__(self, store: Store, runner: asyncio.Runner) -> None:
        self.store = store
        self.run = runner.run
        self.thread_ids: list[str] = []
        self.message_ids: list[str] = []

    def fill(self) -> None:
        """Everything is of one second; the threads were active in another order than made."""
        threads = [make_thread() for _ in range(LONGEST)]
        for thread in threads:
            self.run(self.store.threads.add(thread))
        for thread in sorted(threads, key=lambda thread: thread.id):
            self.run(self.store.messages.add(make_message(thread.id)))
            self.thread_ids.append(thread.id)
            other = make_thread(owner="another")
            self.run(self.store.threads.add(other, [make_message(other.id)]))
        # Messages of two threads take turns, so that neither has consecutive numbers.
        for number in range(LONGEST - 1):
            self.run(self.store.messages.add(make_message(self.thread_ids[-2], f"other {number}")))
            self.run(self.store.messages.add(make_message(self.thread_ids[-1], f"m {number}")))
        oldest_first = PageQuery(100, "asc")
        page = self.run(self.store.messages.page(self.thread_ids[-1], oldest_first))
        self.message_ids = [message.id for message in page.items]

    def messages(self, query: PageQuery) -> tuple[list[str], bool]:
        """A page ordered by one column."""
        page = self.run(self.store.messages.page(self.thread_ids[-1], query))
        return _ids(page)

    def threads(self, query: PageQuery, owner: str = OWNER) -> tuple[list[str], bool]:
        """A page ordered by two."""
        return _ids(self.run(self.store.threads.page(owner, query)))


def _ids(page: Page[Message] | Page[Thread]) -> tuple[list[str], bool]:
    return [item.id for item in page.items], page.has_more


@contextmanager
def opened(folder: Path, empty_database: Path) -> Iterator[Listed]:
    shutil.copy(empty_database, folder / "store.db")
    with asyncio.Runner() as runner:
        store = Store(f"sqlite+aiosqlite:///{folder / 'store.db'}", lambda: 1_700_000_000)
        runner.run(store.open())
        listed = Listed(store, runner)
        listed.fill()
        yield listed
        runner.run(store.close())


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Listed]:
    with opened(tmp_path_factory.mktemp("pages"), empty_database) as made:
        yield made


@given(asked=ASKED)
def test_a_page_by_one_column_is_what_a_plain_list_gives(listed: Listed, asked: Asked) -> None:
    ids = listed.message_ids

    assert listed.messages(asked.query(ids)) == asked.expected(ids)


@given(asked=ASKED)
def test_a_page_by_two_columns_is_what_a_plain_list_gives(listed: Listed, asked: Asked) -> None:
    ids = listed.thread_ids

    assert listed.threads(asked.query(ids)) == asked.expected(ids)


@given(limit=LIMITS, order=ORDERS)
def test_pages_one_after_the_other_are_the_whole_list_either_way(
    listed: Listed, limit: int, order: str
) -> None:
    whole = listed.message_ids if order == "asc" else listed.message_ids[::-1]
    forth: list[str] = []
    more = True
    while more:
        after = forth[-1] if forth else None
        items, more = listed.messages(PageQuery(limit, order, after))
        forth += items
    back = [whole[-1]]
    more = True
    while more:
        items, more = listed.messages(PageQuery(limit, order, before=back[0]))
        back = items + back

    assert forth == whole
    assert back == whole


def after(cursor: str) -> PageQuery:
    return PageQuery(after=cursor)


def before(cursor: str) -> PageQuery:
    return PageQuery(before=cursor)


@pytest.mark.parametrize("cursor", [after, before])
def test_a_cursor_of_another_list_is_unknown(
    listed: Listed, cursor: Callable[[str], PageQuery]
) -> None:
    [stranger, *_], _ = listed.threads(PageQuery(), owner="another")
    [foreign] = listed.run(listed.store.messages.page(listed.thread_ids[-2], PageQuery(1))).items

    with pytest.raises(NotFound, match=stranger):
        listed.threads(cursor(stranger))
    with pytest.raises(NotFound, match=foreign.id):
        listed.messages(cursor(foreign.id))
    with pytest.raises(NotFound, match="msg_unknown"):
        listed.messages(cursor("msg_unknown"))
