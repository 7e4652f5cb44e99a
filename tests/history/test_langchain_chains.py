"""LangChain's chains over the histories of every store: each message once, turn after turn."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from streamlit.testing.v1 import AppTest

from streamlit_assistant.history import StreamlitHistory, ThreadHistory, open_history
from tests.conftest import LiveServer
from tests.history.chains import (
    ABOUT,
    DEPRECATED,
    GetHistory,
    bare,
    conversation,
    model_at,
    prompted,
    said,
    sent,
    session,
)
from tests.upstream import Upstream, model_server

pytestmark = pytest.mark.filterwarnings(DEPRECATED)

QUESTIONS = ("one", "two", "three", "four", "five")
SOON = 20  # seconds; nothing here takes nearly as long
Talk = Callable[[], None]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


@pytest.fixture(autouse=True)
def _forgotten(upstream: Upstream) -> None:
    upstream.forget()


def anywhere(talk: Talk) -> None:
    talk()


def in_a_script(talk: Talk) -> None:
    """Do it in a Streamlit script, and see to it that its failures are not only shown there."""
    page = AppTest.from_string("import streamlit as st\nst.session_state['talk']()")
    page.session_state["talk"] = talk
    page.run(timeout=SOON)
    assert not page.exception, page.exception[0].stack_trace


@dataclass
class Backend:
    """A store: its sessions by names of this test's own, and where a chain over it may run."""

    get_history: Callable[[str], Any]
    within: Callable[[Talk], None] = anywhere

    def __call__(self, session_id: str) -> Any:
        """Return a history; each time another object."""
        return self.get_history(session_id)


def threads_of(client: openai.OpenAI) -> GetHistory:
    """Histories whose sessions are threads, made when they are first named."""
    made: dict[str, str] = {}

    def get_history(session_id: str) -> ThreadHistory:
        if session_id not in made:
            made[session_id] = client.beta.threads.create().id
        return ThreadHistory(client, made[session_id])

    return get_history


@pytest.fixture(params=["sqlite", "postgresql", "redis", "kafka", "thread", "streamlit"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    fixture: Callable[[str], Any] = request.getfixturevalue
    match request.param:
        case "thread":
            live: LiveServer = fixture("offline")
            yield Backend(threads_of(live.client()))
            return
        case "streamlit":
            yield Backend(lambda session_id: StreamlitHistory(key=session_id), in_a_script)
            return
        case "sqlite":
            url = f"sqlite:///{tmp_path / 'chats.db'}"
        case "postgresql":
            url = fixture("postgres_url")
        case "redis":
            url = fixture("redis_url")
        case "kafka":
            url = fixture("kafka_url")
    mine = uuid.uuid4().hex
    held: Any = open_history(url, mine)
    yield Backend(lambda session_id: open_history(url, f"{mine}/{session_id}"))
    held.close()


def test_each_message_is_stored_once_over_many_turns(backend: Backend, upstream: Upstream) -> None:
    def talk() -> None:
        chain = prompted(model_at(upstream), backend)
        for turns, question in enumerate(QUESTIONS, 1):
            answer = chain.invoke({"question": question, **ABOUT}, session("once"))

            assert answer.text == f"Turn {turns}. You said: {question}"
            assert said(backend("once").messages) == conversation(*QUESTIONS[:turns])

    backend.within(talk)

    assert sent(upstream)[0] == ("system", "You are a patient teacher. Answer in English.")
    assert len(sent(upstream)) == 2 * len(QUESTIONS)


def test_each_message_is_stored_once_where_langchain_reads_before_it_writes(
    backend: Backend, upstream: Upstream
) -> None:
    def talk() -> None:
        chain = bare(model_at(upstream), backend)
        for turns, question in enumerate(QUESTIONS, 1):
            answer = chain.invoke([HumanMessage(question)], session("bare"))

            assert answer.text == f"Turn {turns}. You said: {question}"
            assert said(backend("bare").messages) == conversation(*QUESTIONS[:turns])

    backend.within(talk)

    assert len(sent(upstream)) == 2 * len(QUESTIONS) - 1


def test_streamed_answers_are_stored_whole_and_once(backend: Backend, upstream: Upstream) -> None:
    def talk() -> None:
        chain = prompted(model_at(upstream), backend)
        for turns, question in enumerate(QUESTIONS[:4], 1):
            asked = {"question": question, **ABOUT}
            pieces = [piece.text for piece in chain.stream(asked, session("streamed"))]

            assert len([piece for piece in pieces if piece]) > 3
            assert "".join(pieces) == f"Turn {turns}. You said: {question}"
            assert said(backend("streamed").messages) == conversation(*QUESTIONS[:turns])

    backend.within(talk)

    assert all(request.body["stream"] for request in upstream.requests)


def test_async_turns_of_two_sessions_do_not_mix(backend: Backend, upstream: Upstream) -> None:
    async def turns(name: str, http: httpx2.AsyncClient) -> None:
        chain = prompted(model_at(upstream, http_async_client=http), backend)
        for question in QUESTIONS[:3]:
            await chain.ainvoke({"question": f"{question}, {name}", **ABOUT}, session(name))
        last = {"question": f"four, {name}", **ABOUT}
        pieces = [piece.text async for piece in chain.astream(last, session(name))]
        assert len([piece for piece in pieces if piece]) > 3

    async def both() -> None:
        async with httpx2.AsyncClient() as http:
            await asyncio.gather(turns("ann", http), turns("ben", http))

    def talk() -> None:
        asyncio.run(both())
        for name in ("ann", "ben"):
            asked = [f"{question}, {name}" for question in QUESTIONS[:4]]
            assert said(backend(name).messages) == conversation(*asked)

    backend.within(talk)


def test_an_answer_out_of_langchains_cache_is_stored_once_its_old_id_is_gone(
    upstream: Upstream, tmp_path: Path
) -> None:
    model = model_at(upstream, cache=InMemoryCache())
    anew = model | (lambda answer: answer.model_copy(update={"id": None}))
    # A chain that does not show its history to the model asks the same again.
    forgetful = RunnableLambda(lambda messages: messages[-1:]) | anew
    url = f"sqlite:///{tmp_path / 'chats.db'}"
    chain = bare(forgetful, lambda session_id: open_history(url, session_id))
    for _ in range(2):
        chain.invoke([HumanMessage("hello")], session("cached"))

    assert len(upstream.requests) == 1
    assert said(open_history(url, "cached").messages) == 2 * conversation("hello")
