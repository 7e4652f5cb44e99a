"""The examples of the guide, each run as people would run it: with real stores and servers."""

import builtins
import contextlib
import gc
import re
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from sqlalchemy import create_engine
from streamlit.testing.v1 import AppTest

from streamlit_assistant.history import open_history
from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer, serve
from tests.history.chains import DEPRECATED, conversation, said, sent
from tests.history.guide import LANGUAGES, Screen, examples, text_of
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # that it is no longer maintained
    from langchain_community.chat_message_histories import SQLChatMessageHistory

GUIDE = {language: text_of(name) for language, name in LANGUAGES.items()}
ENGLISH, CHINESE = (examples(text) for text in GUIDE.values())
SOON = 20  # seconds; nothing here takes nearly as long
REDIS = "redis://127.0.0.1:6379/0"
POSTGRESQL = "postgresql://user:password@127.0.0.1:5432/chats"
KAFKA = "127.0.0.1:9092"
UNRAISABLE = "ignore::pytest.PytestUnraisableExceptionWarning"

pytestmark = pytest.mark.filterwarnings(DEPRECATED)

Places = Mapping[str, str]
CodeOf = Callable[..., str]
RunExample = Callable[..., Screen]


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """The model server that the examples find in the environment."""
    with model_server() as served:
        monkeypatch.setenv("OPENAI_BASE_URL", served.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield served


@pytest.fixture
def example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> Iterator[CodeOf]:
    """Give an example's code with the addresses of this test, in a folder with `chain.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def code_of(name: str, places: Places | None = None) -> str:
        (tmp_path / "chain.py").write_text(ENGLISH["chain.py"])
        code = ENGLISH[name]
        for place, real in (places or {}).items():
            assert place in code
            code = code.replace(place, real)
        return code

    yield code_of
    sys.modules.pop("chain", None)


@pytest.fixture
def run(example: CodeOf) -> Iterator[RunExample]:
    """Run an example; return what it prints."""
    clients: list[openai.OpenAI] = []

    def run_example(
        name: str, places: Places | None = None, screen: Screen | None = None
    ) -> Screen:
        screen = screen or Screen()
        names: dict[str, Any] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(screen):
            exec(compile(example(name, places), name, "exec"), names)
        clients.extend(one for one in names.values() if isinstance(one, openai.OpenAI))
        return screen

    yield run_example
    for client in clients:
        client.close()


@contextlib.contextmanager
def running(run: RunExample, name: str) -> Iterator[Screen]:
    """An example that runs while the block does, and ends soon after."""
    screen = Screen()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(run, name, screen=screen)
        yield screen
        ended.result(SOON)


def stored(session_id: str) -> list[tuple[str, str]]:
    """What the chain of the guide has written."""
    return said(open_history("sqlite:///chats.db", session_id).messages)


def test_both_languages_show_the_same_programs() -> None:
    assert ENGLISH
    assert ENGLISH == CHINESE


def test_every_program_of_the_guide_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for text in GUIDE.values():
        assert len(re.findall(r"^```python$", text, re.MULTILINE)) == len(ENGLISH)
    assert [name for name in ENGLISH if f'"{name}"' not in here] == []


def test_whole_answers_of_two_sessions_do_not_mix(run: RunExample, upstream: Upstream) -> None:
    printed = run("whole answers")

    assert printed.lines == ["Your name is Anna.", "Your name is 小张."]
    assert sent(upstream, 2) == [
        ("system", "You are a patient teacher. Answer in English."),
        ("user", "My name is Anna."),
        ("assistant", "Turn 1. You said: My name is Anna."),
        ("user", "What is my name?"),
    ]
    assert sent(upstream, 3) == [
        ("system", "You are 一位医生. Answer in 中文."),
        ("user", "我叫小张"),
        ("assistant", "Turn 1. You said: 我叫小张"),
        ("user", "我叫什么？"),
    ]
    assert [text for _, text in stored("anna")] == [
        *("My name is Anna.", "Turn 1. You said: My name is Anna."),
        *("What is my name?", "Your name is Anna."),
    ]
    assert len(stored("小张")) == 4


def test_a_streamed_answer_is_shown_while_it_is_written(
    run: RunExample, upstream: Upstream
) -> None:
    go_on = threading.Event()
    upstream.queue(Answer(["one ", "two ", go_on, "three"]))
    with running(run, "streaming") as screen:
        try:
            screen.wait_for("two ")
            before = stored("counting")
        finally:
            go_on.set()

    assert screen.text == "one two three"
    assert len([piece for piece in screen.pieces if piece]) == 3
    assert before == []
    assert stored("counting") == [("human", "Count to 10"), ("ai", "one two three")]
    assert upstream.requests[0].body["stream"] is True


def test_async_talks_go_on_at_the_same_time(run: RunExample, upstream: Upstream) -> None:
    upstream.queue(*[Answer(["Hello"], delay=1)] * 2)
    with running(run, "async") as screen:
        while len(upstream.requests) < 2:
            threading.Event().wait(0.01)
        assert not upstream.requests[0].answered.is_set()

    for name in ("Bob", "Eve"):
        pieces = [line.removeprefix(f"{name}: ") for line in screen.lines if name in line[:3]]
        assert "".join(pieces) == f"Your name is {name}."
        assert len([piece for piece in pieces if piece]) == 4
        assert [text for _, text in stored(name)] == [
            *(f"My name is {name}.", "Hello"),
            *("What is my name?", f"Your name is {name}."),
        ]


def test_the_model_is_shown_a_window_of_the_last_turns(run: RunExample, upstream: Upstream) -> None:
    printed = run("window")

    asked = [f"Question {number}" for number in range(1, 6)]
    assert printed.lines[-1] == "Turn 3. You said: Question 5"
    assert sent(upstream) == [
        ("system", "You are a sage. Answer in English."),
        *(("user", "Question 3"), ("assistant", "Turn 3. You said: Question 3")),
        *(("user", "Question 4"), ("assistant", "Turn 3. You said: Question 4")),
        ("user", "Question 5"),
    ]
    assert [text for kind, text in stored("long talk") if kind == "human"] == asked
    assert len(stored("long talk")) == 10


def test_the_streamlit_script_remembers_by_role(example: CodeOf, upstream: Upstream) -> None:
    page = AppTest.from_string(example("streamlit"), default_timeout=SOON).run()
    page.chat_input[0].set_value("one").run()
    page.chat_input[0].set_value("two").run()
    page.selectbox[0].set_value("a kind critic").run()
    assert not page.chat_message
    page.selectbox[1].set_value("中文").run()
    page.chat_input[0].set_value("three").run()
    page.selectbox[0].set_value("a patient teacher").run()

    assert not page.exception
    shown = [(message.name, message.markdown[0].value) for message in page.chat_message]
    assert shown == conversation("one", "two")
    assert sent(upstream, 1)[1:] == [
        *(("user", "one"), ("assistant", "Turn 1. You said: one"), ("user", "two"))
    ]
    assert sent(upstream, 2) == [
        ("system", "You are a kind critic. Answer in 中文."),
        ("user", "three"),
    ]
    assert upstream.requests[0].body["stream"] is True


@pytest.fixture
def site(settings: Settings, upstream: Upstream) -> Iterator[LiveServer]:
    """Our own server, whose assistants are answered for by the same model server."""
    base_url, key = upstream.base_url, "none"
    with serve(replace(settings, openai_base_url=base_url, openai_api_key=key)) as live:
        yield live


def test_a_chain_and_the_page_share_a_chat(
    run: RunExample, upstream: Upstream, site: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = site.client()
    invited: list[str] = []

    def go_on_at_the_page(invitation: str) -> str:
        invited.append(invitation)
        thread_id = invitation.partition("?thread=")[2].partition(",")[0]
        client.beta.threads.messages.create(thread_id, role="user", content="My name is Eve.")
        client.beta.threads.runs.create_and_poll(
            thread_id=thread_id, assistant_id="asst_default", poll_interval_ms=20
        )
        return ""

    monkeypatch.setattr(builtins, "input", go_on_at_the_page)
    places = {"http://127.0.0.1:8501": site.url, "the key shown at the first start": API_KEY}
    printed = run("shared chat", places)

    thread_id = invited[0].partition("?thread=")[2].partition(",")[0]
    listed = client.beta.threads.messages.list(thread_id, order="asc").data
    chat = [
        *(("user", "My name is Anna."), ("assistant", "Turn 1. You said: My name is Anna.")),
        *(("user", "My name is Eve."), ("assistant", "Turn 2. You said: My name is Eve.")),
        *(("user", "What is my name?"), ("assistant", "Your name is Eve.")),
    ]
    assert invited == [f"Go on at {site.url}/?thread={thread_id}, then press Enter here. "]
    assert printed.lines[-1] == "Your name is Eve."
    assert [(m.role, m.content[0].text.value) for m in listed] == chat  # type: ignore[union-attr]
    assert [turn for turn in sent(upstream, 1) if turn[0] != "system"] == chat[:3]
    assert sent(upstream) == [
        ("system", "You are a kind critic. Answer in English."),
        *chat[:5],
    ]


@pytest.mark.filterwarnings("ignore::ResourceWarning", UNRAISABLE)
def test_histories_of_langchains_own_classes_move_over_once(run: RunExample) -> None:
    engine = create_engine("sqlite:///langchain.db")
    old = {name: SQLChatMessageHistory(name, connection=engine) for name in ("anna", "bob")}
    for name, history in old.items():
        history.add_messages([HumanMessage(f"I am {name}.", id="m1"), AIMessage("Hello!")])
    run("moving")
    old["anna"].add_user_message("I am back.")
    run("moving")
    engine.dispose()
    gc.collect()  # the others' connections, which nobody can close

    assert stored("bob") == [("human", "I am bob."), ("ai", "Hello!")]
    assert stored("anna") == [*(("human", "I am anna."), ("ai", "Hello!"), ("human", "I am back."))]


def test_every_store_is_opened_by_its_address(
    run: RunExample, postgres_url: str, redis_url: str, kafka_servers: str
) -> None:
    prefix = f"guide-{uuid.uuid4().hex}-"
    redis_here, kafka_here = (
        f"{redis_url}?key_prefix={prefix}",
        f"{kafka_servers}?topic_prefix={prefix}",
    )
    printed = run("stores", {POSTGRESQL: postgres_url, REDIS: redis_here, KAFKA: kafka_here})

    assert printed.lines == 4 * ["['My name is Anna.', 'Hello Anna!']"]
    for address in ("sqlite:///chats.db", postgres_url, redis_here, f"kafka://{kafka_here}"):
        kept = open_history(address, "greetings").messages
        assert said(kept) == [("human", "My name is Anna."), ("ai", "Hello Anna!")]


def test_a_history_in_kafka_is_read_on(run: RunExample, kafka_servers: str) -> None:
    session_id = f"support-{uuid.uuid4().hex}"
    printed = run("kafka", {KAFKA: kafka_servers, '"support"': f'"{session_id}"'})

    assert printed.lines == ["2 new", "0 new", "1 new", "2 oldest", "0 since now", "3 in all"]


def test_messages_are_found_and_forgotten(run: RunExample, redis_url: str) -> None:
    prefix = f"guide-{uuid.uuid4().hex}:"
    printed = run("search", {REDIS: redis_url, '"chat:"': f'"{prefix}"'})

    assert printed.lines == [
        "['What is a coffee at cafe Zurich?']",
        "['价格表在咖啡馆的墙上。']",
    ]
    assert open_history(f"{redis_url}?key_prefix={prefix}", "cafe").messages == []
