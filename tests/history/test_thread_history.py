"""A thread of our API as a history: the contract, and what is said there by others."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import openai
import pytest
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from streamlit_assistant.chatbot import ChatBot
from streamlit_assistant.history import ThreadHistory, open_history
from streamlit_assistant.history.history_errors import (
    BadAddress,
    HistoryError,
    HistoryUnavailable,
    MessageRefused,
)
from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer, serve
from tests.history.contract import EVERY_KIND, HistoryContract, texts
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer

pytestmark = pytest.mark.both_databases
ASSISTANT = "asst_default"


class Threads:
    """Threads by the names that tests give them."""

    def __init__(self, client: openai.OpenAI) -> None:
        self._client = client
        self._ids: dict[str, str] = {}
        self._lock = threading.Lock()

    def history(self, session_id: str) -> BaseChatMessageHistory:
        with self._lock:
            if session_id not in self._ids:
                self._ids[session_id] = ThreadHistory.new(self._client).thread_id
        return ThreadHistory(self._client, self._ids[session_id])


class TestThreadHistory(HistoryContract):
    """What every history must do."""

    @pytest.fixture
    def store(self, offline: LiveServer) -> Threads:
        return Threads(offline.client())

    def test_a_removed_message_does_not_come_back(self, open_session: Callable[[str], Any]) -> None:
        # The API forgets what it has removed, as the protocol has it: the id is a new one then.
        history = open_session("removing")
        history.add_messages([HumanMessage(text, id=text) for text in ("one", "two", "three")])
        history.remove_messages(["two", "unknown"])
        assert texts(open_session("removing")) == ["one", "three"]
        assert history.search_messages("two") == []

        history.add_messages([HumanMessage("two", id="two"), HumanMessage("one", id="one")])
        assert texts(open_session("removing")) == ["one", "three", "two"]


@pytest.fixture
def history(offline: LiveServer) -> ThreadHistory:
    return ThreadHistory.new(offline.client())


def test_plain_words_and_pictures_are_ordinary_messages(
    offline: LiveServer, history: ThreadHistory
) -> None:
    picture = {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}
    history.add_user_message("Hello")
    history.add_ai_message("你好")
    history.add_messages(
        [
            HumanMessage(
                [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": picture}]
            )
        ]
    )

    path = f"/threads/{history.thread_id}/messages?order=asc"
    listed: Any = offline.client().get(path, cast_to=object)
    assert not any("langchain" in message for message in listed["data"])
    assert [(each["role"], len(each["content"])) for each in listed["data"]] == [
        ("user", 1),
        ("assistant", 1),
        ("user", 2),
    ]


def test_what_the_page_writes_is_read_and_not_added_again(
    offline: LiveServer, history: ThreadHistory
) -> None:
    posted = offline.client().beta.threads.messages.create(
        history.thread_id, role="user", content="from the page"
    )

    [read] = history.messages
    history.add_messages([read, AIMessage("from a chain")])

    assert read == HumanMessage("from the page", id=posted.id)
    assert texts(history) == ["from the page", "from a chain"]


@pytest.mark.parametrize(
    "langchain",
    [
        {"type": "tool", "data": {}},
        {"type": "of tomorrow", "data": {}},
        {"type": "remove", "data": {"id": "m1"}},
        {"type": "ai", "data": {"tool_calls": "none", "content": "words"}},
        {"type": "ai", "data": {"content": [{"type": "text", "text": "words"}], "name": 3}},
    ],
)
def test_what_langchain_does_not_understand_is_read_as_words(
    offline: LiveServer, history: ThreadHistory, langchain: Any
) -> None:
    posted = offline.client().beta.threads.messages.create(
        history.thread_id, role="user", content="words", extra_body={"langchain": langchain}
    )
    history.add_ai_message("from a chain")

    odd, ours = history.messages
    assert odd == AIMessage("words", id=langchain["data"].get("id", posted.id))
    assert ours.text == "from a chain"
    assert [found.text for found in history.search_messages("words")] == ["words"]


def test_an_answer_says_which_run_gave_it(offline: LiveServer, history: ThreadHistory) -> None:
    history.add_user_message("hi")
    run = offline.client().beta.threads.runs.create_and_poll(
        thread_id=history.thread_id, assistant_id=ASSISTANT, poll_interval_ms=20
    )

    answer = history.messages[-1]
    assert answer.type == "ai" and answer.text
    assert answer.response_metadata == {"assistant_id": ASSISTANT, "run_id": run.id}


@pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory is deprecated")
def test_a_chain_and_the_page_talk_in_one_conversation(
    offline: LiveServer, history: ThreadHistory
) -> None:
    bot = ChatBot(offline.client(), ASSISTANT, thread_id=history.thread_id)
    seen: list[list[str]] = []

    def answer(prompt: ChatPromptValue) -> AIMessage:
        seen.append([str(message.text) for message in prompt.to_messages()])
        return AIMessage(f"answer {len(seen)}", id=f"run--{len(seen)}")

    model: Any = RunnableLambda(answer)
    template = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("history"), ("human", "{question}")]
    )
    chain = RunnableWithMessageHistory(
        template | model,
        lambda: history,
        input_messages_key="question",
        history_messages_key="history",
    )

    chain.invoke({"question": "from a chain"})
    list(bot.ask("from the page"))
    chain.invoke({"question": "again"})

    of_page = bot.messages()[3].text
    assert seen == [
        ["from a chain"],
        ["from a chain", "answer 1", "from the page", of_page, "again"],
    ]
    assert [m.text for m in bot.messages()] == [*seen[1], "answer 2"] == texts(history)


def test_tool_calls_and_results_are_words_for_everybody_else(
    offline: LiveServer, history: ThreadHistory
) -> None:
    history.add_messages(EVERY_KIND)

    listed = offline.client().beta.threads.messages.list(history.thread_id, order="asc").data
    said = [(m.role, m.content[0].text.value) for m in listed if m.content[0].type == "text"]
    assert said[:6] == [
        ("assistant", "Be brief."),
        ("user", EVERY_KIND[1].content),
        ("assistant", '`weather({"city": "北京", "days": [1, 2]})`'),
        ("assistant", '{"°C": -3}'),
        ("assistant", "3"),
        ("assistant", "As a critic, no."),
    ]


def test_a_thread_is_named_after_the_first_question_not_after_its_instructions(
    offline: LiveServer, history: ThreadHistory
) -> None:
    history.add_messages(EVERY_KIND[:1])
    history.add_user_message("What is tea?")

    listed: Any = offline.client().get("/threads", cast_to=object)
    titles = {each["id"]: each["title"] for each in listed["data"]}
    assert titles[history.thread_id] == "What is tea?"


def test_blocks_that_the_protocol_does_not_know_come_back(history: ThreadHistory) -> None:
    blocks: list[Any] = [
        [{"type": "image_url", "image_url": "https://example.com/a.png"}],
        [{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}],
        [{"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}],
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "So."}],
        ["plain ", {"type": "text", "text": "words"}],
        [],
        " ",
        "x" * 256_001,
    ]
    history.add_messages([AIMessage(content, id=str(n)) for n, content in enumerate(blocks)])

    assert [message.content for message in history.messages] == blocks


def test_more_messages_than_one_request_takes_are_added(history: ThreadHistory) -> None:
    history.add_messages([HumanMessage(str(number)) for number in range(1_100)])

    assert texts(history) == [str(number) for number in range(1_100)]


def test_many_megabytes_are_added(history: ThreadHistory) -> None:
    long = "价" * 1_500_000
    history.add_messages([HumanMessage(f"{number}{long}") for number in range(4)])

    assert [text[0] for text in texts(history)] == ["0", "1", "2", "3"]
    assert len(history.search_messages("3价")) == 1


def test_a_message_that_is_too_large_for_the_api_is_refused(history: ThreadHistory) -> None:
    with pytest.raises(MessageRefused, match=r"too long|larger"):
        history.add_messages([HumanMessage("x" * 9_000_000)])

    assert history.messages == []


def test_messages_may_be_removed_while_they_are_read(offline: LiveServer) -> None:
    history = ThreadHistory.new(offline.client())
    history.add_messages([HumanMessage(str(number), id=str(number)) for number in range(250)])
    stop = threading.Event()

    def clear() -> None:
        other = ThreadHistory(offline.client(), history.thread_id)
        while not stop.is_set():
            other.clear()
            other.add_messages([HumanMessage(str(number)) for number in range(250)])

    with ThreadPoolExecutor(1) as pool:
        clearing = pool.submit(clear)
        lengths = {len(history.messages) for _ in range(10)}
        stop.set()
        clearing.result()

    # A page of the old ones may be followed by one of the new ones, never by an error.
    assert max(lengths) <= 350


def test_a_search_begins_again_where_its_page_has_gone(
    offline: LiveServer, history: ThreadHistory
) -> None:
    history.add_messages([HumanMessage(str(number)) for number in range(150)])
    newest = [str(one.id) for one in history.messages[50:]]
    removals = iter([lambda: history.remove_messages(newest)])

    def remove_once(_response: object) -> None:
        next(removals, lambda: None)()

    hooks = {"response": [remove_once]}
    with openai.DefaultHttpx2Client(event_hooks=hooks) as http_client:
        slow = ThreadHistory(offline.client(http_client=http_client), history.thread_id)
        assert [found.text for found in slow.search_messages("49")] == ["49"]


def test_an_address_opens_a_thread(offline: LiveServer, history: ThreadHistory) -> None:
    address = f"{offline.url}/v1".replace("http://", f"http://:{API_KEY}@")

    opened: Any = open_history(f"{address}?patience=5", history.thread_id)
    again: Any = open_history(address, history.thread_id)
    opened.add_user_message("by its address")
    opened.close()

    assert texts(history) == texts(again) == ["by its address"]
    again.close()


def test_the_key_may_be_in_the_environment(
    offline: LiveServer, history: ThreadHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
    opened: Any = open_history(f"{offline.url}/v1", history.thread_id)

    opened.add_user_message("hello")
    opened.close()
    assert texts(history) == ["hello"]


@pytest.mark.parametrize(
    ("url", "session_id", "words"),
    [
        ("http://:k@localhost/v1?ttl=3", "thread_a", "unknown option: ttl; there is: patience"),
        ("http://:k@localhost/v1?patience=soon", "thread_a", "number of seconds"),
        ("http://:k@localhost:x/v1", "thread_a", "cannot be read"),
        ("http:///v1", "thread_a", "no host"),
        ("http://localhost/v1", "thread_a", "there is no key"),
        ("http://:k@localhost/v1", "..", "no id of a thread"),
    ],
)
def test_a_wrong_address_is_explained(
    monkeypatch: pytest.MonkeyPatch, url: str, session_id: str, words: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(BadAddress, match=words):
        open_history(url, session_id)


def test_a_thread_that_is_not_there_is_named(offline: LiveServer) -> None:
    with pytest.raises(HistoryError, match="No thread found with id 'thread_none'"):
        _ = ThreadHistory(offline.client(), "thread_none").messages


def test_a_wrong_key_is_said_and_not_repeated(offline: LiveServer) -> None:
    client = offline.client("sk-secret-and-wrong")

    with pytest.raises(HistoryError, match="refuses the key") as caught:
        ThreadHistory(client, "thread_a").add_user_message("hi")

    assert "sk-secret" not in f"{caught.value} {caught.value.__cause__} {caught.value!r}"


def test_a_server_that_is_away_is_unavailable() -> None:
    with openai.OpenAI(
        base_url="http://user:pw-1@127.0.0.1:9/v1", api_key="sk-secret", max_retries=0
    ) as client:
        history = ThreadHistory(client, "thread_a")
        for call in (
            lambda: history.messages,
            history.clear,
            lambda: history.add_messages(EVERY_KIND),
        ):
            with pytest.raises(HistoryUnavailable, match="does not answer") as caught:
                call()
            assert "pw-1" not in str(caught.value)


def test_what_is_not_our_api_is_recognised(offline: LiveServer) -> None:
    address = f"{offline.url}/nowhere"
    with (
        openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client,
        pytest.raises(HistoryError),
    ):
        _ = ThreadHistory(client, "thread_a").messages


@contextmanager
def answering(settings: Settings, *answers: Answer) -> Iterator[tuple[LiveServer, Upstream]]:
    with model_server(*answers) as upstream:
        connected = dataclasses.replace(settings, openai_base_url=upstream.base_url)
        with serve(connected) as live:
            yield live, upstream


def started(client: openai.OpenAI, thread_id: str) -> Any:
    """A stream of a run whose first words have come."""
    stream = client.beta.threads.runs.create(thread_id, assistant_id=ASSISTANT, stream=True)
    next(event for event in stream if event.event == "thread.message.delta")
    return stream


def test_to_add_waits_until_the_answer_is_written(settings: Settings) -> None:
    go_on = threading.Event()
    with answering(settings, Answer(["Once ", go_on, "upon a time."])) as (live, _):
        history = ThreadHistory.new(live.client())
        history.add_user_message("A tale!")
        stream = started(live.client(), history.thread_id)
        assert texts(history) == ["A tale!"]  # not half of an answer

        with ThreadPoolExecutor(1) as pool:
            adding = pool.submit(history.add_messages, [HumanMessage("Another?"), AIMessage("No.")])
            time.sleep(0.2)
            assert not adding.done()
            go_on.set()
            list(stream)
            adding.result(20)

        assert texts(history) == ["A tale!", "Once upon a time.", "Another?", "No."]


def test_patience_ends(settings: Settings) -> None:
    go_on = threading.Event()
    with answering(settings, Answer(["Once ", go_on, "upon a time."])) as (live, _):
        client = live.client()
        history = ThreadHistory(client, ThreadHistory.new(client).thread_id, patience=0.2)
        history.add_user_message("A tale!")
        stream = started(live.client(), history.thread_id)

        for call in (partial(history.add_user_message, "Well?"), history.clear):
            with pytest.raises(HistoryUnavailable, match=r"still being written .*run_"):
                call()

        go_on.set()
        list(stream)
        assert texts(history) == ["A tale!", "Once upon a time."]
        history.clear()
        assert history.messages == []


def test_what_a_chain_adds_the_model_of_the_page_is_told(settings: Settings) -> None:
    with answering(settings) as (live, upstream):
        client = live.client()
        history = ThreadHistory.new(client)
        call = {"name": "get_weather", "args": {"city": "北京"}, "id": "call_1"}
        history.add_messages(
            [
                HumanMessage("How cold is it?"),
                AIMessage("", tool_calls=[call]),
                ToolMessage("-3 °C", tool_call_id="call_1", name="get_weather"),
                AIMessage("It is -3 °C."),
                HumanMessage("In Fahrenheit?"),
            ]
        )
        client.beta.threads.runs.create_and_poll(
            thread_id=history.thread_id, assistant_id=ASSISTANT, poll_interval_ms=20
        )

        told = [(m["role"], m["content"]) for m in upstream.requests[-1].body["messages"]]
        assert told[-5:] == [
            ("user", "How cold is it?"),
            ("assistant", '[Called get_weather({"city":"北京"})]'),
            ("user", "[get_weather returned: -3 °C]"),
            ("assistant", "It is -3 °C."),
            ("user", "In Fahrenheit?"),
        ]
        assert len(history.messages) == 6
