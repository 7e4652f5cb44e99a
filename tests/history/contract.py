"""What every history must do, whatever keeps it: a backend's tests inherit it with a `store`."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol

import pytest
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

PICTURE = "data:image/png;base64,iVBORw0KGgo="
EVERY_KIND: Sequence[BaseMessage] = (
    SystemMessage("Be brief.", id="s1"),
    HumanMessage("Grüße, 世界! 👩‍👩‍👧 und e\u0301 — \u202eright\u202c \x07", id="h1", name="Zoë"),
    AIMessage(
        "",
        id="a1",
        tool_calls=[{"name": "weather", "args": {"city": "北京", "days": [1, 2]}, "id": "call_1"}],
        invalid_tool_calls=[{"name": "x", "args": "{", "id": "call_2", "error": "no JSON"}],
        usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        response_metadata={"finish_reason": "tool_calls", "model_name": "m"},
        additional_kwargs={"refusal": None},
    ),
    ToolMessage('{"°C": -3}', id="t1", tool_call_id="call_1", name="weather", status="error"),
    FunctionMessage(content="3", id="f1", name="add"),
    ChatMessage(content="As a critic, no.", id="c1", role="critic"),
    HumanMessage(
        [
            {"type": "text", "text": "What is this? 这是什么"},
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
            {"type": "text", "text": "And why?"},
        ],
        id="h2",
    ),
    AIMessage([{"type": "text", "text": "A picture.", "annotations": []}], id="a2"),
)


class Store(Protocol):
    """A store under test."""

    def history(self, session_id: str) -> BaseChatMessageHistory:
        """Return a new history of a session; several of one session share what it holds."""


def texts(history: BaseChatMessageHistory) -> list[str]:
    return [str(message.text) for message in history.messages]


def without_ids(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Messages as they are but for their ids, which a store may have to give."""
    return [message.model_copy(update={"id": None}) for message in messages]


class HistoryContract:
    """Tests that use nothing but LangChain's interface, and ours where `extended`.

    A subclass has a fixture `store` (`Store`); every test asks it for sessions of its own names,
    so `store` must begin empty or prefix them.
    """

    extended = True  # whether it has search_messages, remove_messages, ids that count once, close
    many = 300  # messages where a test needs more than a page of anything
    big = 1_000_000  # characters of the largest message

    @pytest.fixture
    def open_session(self, store: Store) -> Callable[[str], Any]:
        return store.history

    def test_a_new_session_is_empty(self, open_session: Callable[[str], Any]) -> None:
        assert open_session("fresh").messages == []

    def test_messages_come_back_in_order_through_any_object(
        self, open_session: Callable[[str], Any]
    ) -> None:
        first = open_session("order")
        first.add_user_message("one")
        open_session("order").add_ai_message("two")
        first.add_messages([HumanMessage("three"), AIMessage("four")])
        first.add_message(HumanMessage("five"))

        assert texts(open_session("order")) == ["one", "two", "three", "four", "five"]
        assert [m.type for m in open_session("order").messages] == [
            *("human", "ai", "human", "ai", "human")
        ]

    def test_reading_changes_nothing(self, open_session: Callable[[str], Any]) -> None:
        history = open_session("twice")
        history.add_user_message("one")

        assert texts(history) == texts(history) == ["one"]

    def test_every_kind_of_message_is_unharmed(self, open_session: Callable[[str], Any]) -> None:
        history = open_session("kinds")
        history.add_messages(EVERY_KIND)

        assert history.messages == list(EVERY_KIND)

    def test_messages_without_ids_are_unharmed(self, open_session: Callable[[str], Any]) -> None:
        history = open_session("no ids")
        given = without_ids(EVERY_KIND)
        history.add_messages(given)
        history.add_messages(given)  # said again is said twice

        assert without_ids(history.messages) == [*given, *given]

    def test_what_is_added_is_left_as_it_was(self, open_session: Callable[[str], Any]) -> None:
        given = HumanMessage("as it was")
        open_session("untouched").add_messages([given])

        assert given == HumanMessage("as it was")

    def test_odd_characters_are_unharmed(self, open_session: Callable[[str], Any]) -> None:
        odd = ["a\0b", "half \ud83d pair", "\r\n\t", "\u2028\u2029", "﷽", " ", "'; DROP TABLE x;--"]
        history = open_session("odd")
        history.add_messages([HumanMessage(text) for text in odd])

        assert [message.content for message in history.messages] == odd

    def test_an_answer_that_came_in_pieces_is_one_message(
        self, open_session: Callable[[str], Any]
    ) -> None:
        history = open_session("chunks")
        history.add_messages(
            [AIMessageChunk(content="Hel", id="x") + AIMessageChunk(content="lo", id="x")]
        )

        assert [(m.type, m.content) for m in history.messages] == [("ai", "Hello")]

    def test_a_message_of_a_million_characters_is_unharmed(
        self, open_session: Callable[[str], Any]
    ) -> None:
        long = ("Käse 价格 😀 " * (self.big // 10))[: self.big]
        history = open_session("long")
        history.add_messages([HumanMessage(long), AIMessage("short")])

        assert [message.content for message in history.messages] == [long, "short"]

    def test_many_messages_come_back_whole(self, open_session: Callable[[str], Any]) -> None:
        history = open_session("many")
        history.add_messages([HumanMessage(str(number)) for number in range(self.many)])

        assert texts(open_session("many")) == [str(number) for number in range(self.many)]

    @pytest.mark.parametrize(
        ("one", "other"),
        [("a", "A"), ("a,b", "a"), ("user 1/chat:ü", "user 1/chat:u"), ("x" * 3000, "x" * 3001)],
        ids=["case", "comma", "accent", "length"],
    )
    def test_sessions_never_mix(
        self, open_session: Callable[[str], Any], one: str, other: str
    ) -> None:
        open_session(one).add_user_message("mine")
        open_session(other).add_user_message("yours")

        assert texts(open_session(one)) == ["mine"]
        assert texts(open_session(other)) == ["yours"]

    def test_clear_empties_one_session_only(self, open_session: Callable[[str], Any]) -> None:
        history = open_session("to clear")
        history.add_messages(EVERY_KIND)
        open_session("to keep").add_user_message("kept")
        history.clear()
        history.clear()

        assert history.messages == open_session("to clear").messages == []
        assert texts(open_session("to keep")) == ["kept"]

    def test_a_cleared_session_begins_anew(self, open_session: Callable[[str], Any]) -> None:
        history, other = open_session("anew"), open_session("anew")
        history.add_messages([HumanMessage("old", id="m1")])
        assert texts(other) == ["old"]
        history.clear()
        other.add_messages([HumanMessage("new", id="m1")])

        assert texts(history) == texts(other) == ["new"]

    def test_nothing_is_added_by_an_empty_list(self, open_session: Callable[[str], Any]) -> None:
        history = open_session("none")
        history.add_messages([])

        assert history.messages == []

    def test_many_writers_lose_nothing_and_keep_their_order(
        self, open_session: Callable[[str], Any]
    ) -> None:
        def write(writer: int) -> None:
            history = open_session("crowd")
            for number in range(10):
                history.add_messages(
                    [HumanMessage(f"{writer} {number} q"), AIMessage(f"{writer} {number} a")]
                )

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))

        said = texts(open_session("crowd"))
        assert len(said) == len(set(said)) == 80
        for writer in range(4):
            mine = [text for text in said if text.startswith(f"{writer} ")]
            assert mine == [f"{writer} {n} {kind}" for n in range(10) for kind in "qa"]
        # What was added in one call stays together.
        assert all(b == a[:-1] + "a" for a, b in pairwise(said) if a.endswith("q"))

    def test_the_async_twins_do_the_same(self, open_session: Callable[[str], Any]) -> None:
        async def talk() -> list[BaseMessage]:
            history = open_session("async")
            await history.aadd_messages([HumanMessage("one"), AIMessage("two")])
            found: list[BaseMessage] = await history.aget_messages()
            await history.aclear()
            assert await history.aget_messages() == []
            return found

        assert [message.content for message in asyncio.run(talk())] == ["one", "two"]

    def test_an_id_counts_once(self, open_session: Callable[[str], Any]) -> None:
        if not self.extended:
            pytest.skip("not promised")
        history = open_session("ids")
        first = HumanMessage("first", id="m1")
        history.add_messages([first, first, AIMessage("second", id="m2")])
        open_session("ids").add_messages([HumanMessage("again", id="m1"), AIMessage("3", id="m3")])

        assert texts(history) == ["first", "second", "3"]

    def test_an_id_that_many_add_at_once_counts_once(
        self, open_session: Callable[[str], Any]
    ) -> None:
        if not self.extended:
            pytest.skip("not promised")
        start = threading.Barrier(4)

        def write(_writer: int) -> None:
            history = open_session("race")
            start.wait()
            history.add_messages([HumanMessage(str(n), id=f"m{n}") for n in range(20)])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))

        assert texts(open_session("race")) == [str(n) for n in range(20)]

    def test_a_removed_message_does_not_come_back(self, open_session: Callable[[str], Any]) -> None:
        if not self.extended:
            pytest.skip("not promised")
        history = open_session("removing")
        history.add_messages([HumanMessage(text, id=text) for text in ("one", "two", "three")])
        history.remove_messages("two")
        history.remove_messages(["two", "unknown"])
        history.add_messages([HumanMessage("two", id="two"), HumanMessage("four", id="four")])

        assert texts(open_session("removing")) == ["one", "three", "four"]
        assert history.search_messages("two") == []

    def test_the_async_twins_of_ours_do_the_same(self, open_session: Callable[[str], Any]) -> None:
        if not self.extended:
            pytest.skip("not promised")

        async def find_and_remove() -> list[BaseMessage]:
            history = open_session("async of ours")
            await history.aadd_messages([HumanMessage("one", id="1"), AIMessage("two", id="2")])
            await history.aremove_messages(["2"])
            assert await history.asearch_messages("two") == []
            found: list[BaseMessage] = await history.asearch_messages("one")
            return found

        assert [message.content for message in asyncio.run(find_and_remove())] == ["one"]

    def test_what_is_no_message_is_refused(self, open_session: Callable[[str], Any]) -> None:
        if not self.extended:
            pytest.skip("not promised")
        history = open_session("refusing")
        for wrong in (RemoveMessage(id="m1"), HumanMessage("x", additional_kwargs={"f": object()})):
            with pytest.raises(ValueError, match=r"remove_messages|JSON"):
                history.add_messages([HumanMessage("before"), wrong])

        assert history.messages == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("price", ["The PRICE list", "price of c++"]),
            ("价格", ["价格是多少"]),
            ("kase", ["Käse & Café"]),
            ("CAFÉ käse", ["Käse & Café"]),
            ("c++", ["price of c++"]),
            ("foo@bar.com", ["write to foo@bar.com, v1.2.3 /usr/local/bin 50%"]),
            ("/usr/local 50% v1.2", ["write to foo@bar.com, v1.2.3 /usr/local/bin 50%"]),
            ("rice list", ["The PRICE list"]),
            ("the", ["The PRICE list"]),
            ("price nowhere", []),
            ("full", ["ｆｕｌｌ width"]),
            ("😀", ["smile 😀"]),
            ("a|b*", ['(a|b*) \\ "quoted" {x} %_']),
            ('\\ "quoted" %_', ['(a|b*) \\ "quoted" {x} %_']),
            ("z", []),
            (" \t", []),
            ("", []),
        ],
    )
    def test_search_finds_messages_that_hold_every_word(
        self, open_session: Callable[[str], Any], text: str, expected: list[str]
    ) -> None:
        if not self.extended:
            pytest.skip("not promised")
        history = open_session("search")
        said = [
            *("price of c++", "价格是多少", "Käse & Café", "smile 😀", "ｆｕｌｌ width"),
            "write to foo@bar.com, v1.2.3 /usr/local/bin 50%",
            '(a|b*) \\ "quoted" {x} %_',
            "The PRICE list",
        ]
        history.add_messages([HumanMessage(line) for line in said])
        open_session("another").add_user_message("price 价格 😀")

        assert [message.content for message in history.search_messages(text)] == expected

    def test_search_gives_the_newest_first_and_no_more_than_asked(
        self, open_session: Callable[[str], Any]
    ) -> None:
        if not self.extended:
            pytest.skip("not promised")
        history = open_session("limits")
        history.add_messages([HumanMessage(f"number {n}") for n in range(self.many)])

        newest = [f"number {n}" for n in range(self.many)][:-4:-1]
        assert [m.content for m in history.search_messages("number", 3)] == newest
        assert len(history.search_messages("number", self.many * 2)) == self.many
        assert [m.content for m in history.search_messages("number 0", 1)] == [
            next(f"number {n}" for n in range(self.many - 1, -1, -1) if "0" in str(n))
        ]
        assert history.search_messages("number", 0) == []
