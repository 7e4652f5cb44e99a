"""Answers that OpenAI goes on writing: what becomes of them when a connection or a process dies."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.chaos.zygote import SiteProcess, Zygote, zygote
from tests.conftest import API_KEY, LiveServer
from tests.stream_order import check_order
from tests.upstream import Upstream
from tests.upstream_scripts import Answer, Token
from tests.upstream_wire import OPENAI
from tests.upstreams.matrix import DONE, LATER, REMEMBERED
from tests.upstreams.page_words import check_page
from tests.upstreams.rows import NAME, RESPONSES
from tests.upstreams.site import Places, site
from tests.upstreams.talk import Talk

HOST = "api.openai.com"
SOON = 20.0
HURRY = {"heartbeat": 0.5, "lease": 2.0, "look": 0.5}


@pytest.fixture
def live(settings: Settings, places: Places) -> Iterator[LiveServer]:
    places.upstream.become(dialect=OPENAI)
    with site(settings, places.base_url(HOST), RESPONSES) as server:
        yield server


def answer(*tokens: Token, **more: Any) -> Answer:
    return Answer(tokens, dialect=OPENAI, **more)


def test_an_answer_whose_connection_breaks_is_taken_up_where_it_broke(
    live: LiveServer, upstream: Upstream
) -> None:
    upstream.queue(answer("one ", "two ", "three", torn_after=1))
    talk = Talk(live.client(), {})
    outcome = talk.ask(NAME)

    assert (outcome.run.status, outcome.text) == ("completed", "one two three")
    assert outcome.heard.text == "one two three"
    assert outcome.notices == []
    check_order([*outcome.heard.pairs, DONE])
    assert len(upstream.requests) == 1
    assert "starting_after=" in upstream.background.asked[0]
    assert talk.ask(LATER).text == REMEMBERED


def test_an_answer_that_is_too_old_to_be_streamed_is_looked_at_again(
    live: LiveServer, upstream: Upstream
) -> None:
    gate = threading.Event()
    upstream.queue(answer("one ", gate, "two ", "three", torn_after=1))
    upstream.background.too_old = True
    threading.Timer(0.3, gate.set).start()
    talk = Talk(live.client(), {})
    outcome = talk.ask(NAME)

    assert (outcome.run.status, outcome.text) == ("completed", "one two three")
    assert outcome.heard.text == "one two three"
    check_order([*outcome.heard.pairs, DONE])
    assert len(upstream.requests) == 1
    assert talk.ask(LATER).text == REMEMBERED


def test_an_answer_that_is_gone_keeps_what_there_was(live: LiveServer, upstream: Upstream) -> None:
    upstream.queue(answer("half ", threading.Event(), torn_after=1))
    upstream.background.forgets = True
    client = live.client()
    talk = Talk(client, {})
    outcome = talk.ask(NAME)

    assert (outcome.run.status, outcome.text) == ("failed", "half ")
    assert outcome.run.last_error is not None
    assert outcome.run.last_error.code == "server_error"
    check_page(client, talk, outcome, "en-US", key="ending.failed", text="half ")
    assert talk.ask(LATER).text == REMEMBERED


def test_cancelling_ends_the_answer_there_as_well(live: LiveServer, upstream: Upstream) -> None:
    upstream.queue(answer("half ", threading.Event()))
    talk, client = Talk(live.client(), {}), live.client()
    client.beta.threads.messages.create(talk.thread_id, role="user", content=NAME)
    with client.beta.threads.runs.create(
        talk.thread_id, assistant_id=talk.assistant_id, stream=True
    ) as stream:
        run_id = ""
        for event in stream:
            run_id = run_id or str(getattr(event.data, "id", ""))
            if event.event == "thread.message.delta":
                break
    ended = talk.cancel(run_id if run_id.startswith("run_") else first_run(client, talk))

    assert ended.status == "cancelled"
    assert talk.look(ended.id).text == "half "
    assert upstream.background.asked[-1].endswith("/cancel")
    assert upstream.background.kept["resp_1"].over
    assert talk.ask(LATER).text == REMEMBERED


def first_run(client: openai.OpenAI, talk: Talk) -> str:
    return client.beta.threads.runs.list(talk.thread_id, limit=1).data[0].id


@dataclass
class Killable:
    """A site in a process of its own."""

    forks: Zygote
    settings: dict[str, Any]
    log: Path

    def start(self) -> SiteProcess:
        """Start it, or start it again."""
        process = self.forks.start(self.settings, HURRY, self.log, 0)
        process.wait_until_healthy()
        return process

    def client(self, process: SiteProcess) -> openai.OpenAI:
        """Return a client of it."""
        return openai.OpenAI(base_url=process.url, api_key=API_KEY, max_retries=0, timeout=SOON)


@pytest.fixture
def killable(settings: Settings, places: Places, tmp_path: Path) -> Iterator[Killable]:
    places.upstream.become(dialect=OPENAI)
    given = {
        "assistant_api_key": API_KEY,
        "data_dir": str(settings.data_dir),
        "openai_base_url": places.base_url(HOST),
        "openai_api_key": "sk-test",
        "openai_api": RESPONSES,
    }
    with zygote() as forks:
        yield Killable(forks, given, tmp_path / "process.log")
        forks.kill_all()


def test_a_process_that_dies_loses_nothing_of_what_openai_writes(
    killable: Killable, upstream: Upstream
) -> None:
    gate = threading.Event()
    upstream.queue(answer("one ", gate, "two ", "three"))
    first = killable.start()
    with killable.client(first) as client:
        talk = Talk(client, {})
        client.beta.threads.messages.create(talk.thread_id, role="user", content=NAME)
        with client.beta.threads.runs.create(
            talk.thread_id, assistant_id=talk.assistant_id, stream=True
        ) as stream:
            for event in stream:
                if event.event == "thread.message.delta":
                    break
            first.kill()
    gate.set()
    with killable.client(killable.start()) as client:
        again = talk.through(client)
        run = client.beta.threads.runs.poll(
            first_run(client, again), thread_id=talk.thread_id, poll_interval_ms=50
        )
        outcome = again.look(run.id)

        assert (run.status, outcome.text) == ("completed", "one two three"), run.last_error
        assert len(outcome.messages) == 1
        assert len(upstream.requests) == 1
        assert again.ask(LATER).text == REMEMBERED
