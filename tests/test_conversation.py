"""The main job on a real wire: a conversation with memory, over restarts and bad model servers."""

import dataclasses
import threading
from collections.abc import Iterator

import openai
import pytest
from openai.types.beta.threads import Run

from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, LiveServer, serve
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import (
    Answer,
    Ending,
    Script,
    Silence,
    context_too_long,
    llama_cpp_context_too_long,
    model_not_found,
    out_of_credit,
    spoken,
    web_page,
    wrong_key,
)

ASSISTANT = "asst_default"
UPSTREAM_KEY = "sk-proj-abcdefghijklmnop1234"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as running:
        yield running


@pytest.fixture
def connected(settings: Settings, upstream: Upstream) -> Settings:
    return dataclasses.replace(
        settings, openai_base_url=upstream.base_url, openai_api_key=UPSTREAM_KEY
    )


@pytest.fixture
def live(connected: Settings) -> Iterator[LiveServer]:
    with serve(connected) as running:
        yield running


class Chat:
    """One thread, spoken to as a program would."""

    def __init__(self, client: openai.OpenAI, thread_id: str | None = None) -> None:
        self.client = client
        self.thread_id = thread_id or client.beta.threads.create().id

    def ask(self, question: str) -> Run:
        """Post a question and wait for the end of its run."""
        self.client.beta.threads.messages.create(self.thread_id, role="user", content=question)
        return self.client.beta.threads.runs.create_and_poll(
            thread_id=self.thread_id, assistant_id=ASSISTANT, poll_interval_ms=20
        )

    def texts(self) -> list[str]:
        """Return every message, oldest first."""
        messages = self.client.beta.threads.messages.list(self.thread_id, order="asc", limit=100)
        return ["".join(p.text.value for p in m.content if p.type == "text") for m in messages.data]


def test_the_model_remembers_earlier_turns_over_a_restart(connected: Settings) -> None:
    with serve(connected) as first:
        chat = Chat(first.client())
        chat.ask("My name is Ada.")
    with serve(connected) as second:
        again = Chat(second.client(), chat.thread_id)
        run = again.ask("What is my name?")

        assert "Ada" in again.texts()[-1]
        assert len(again.texts()) == 4
    assert (run.status, run.model) == ("completed", "scripted")
    assert run.usage is not None
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0


def test_the_key_reaches_the_model_server_and_nobody_else(
    live: LiveServer, upstream: Upstream
) -> None:
    Chat(live.client()).ask("hello")

    assert upstream.requests[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert UPSTREAM_KEY not in repr(live.server.routes)


BAD_SERVERS: dict[str, tuple[Script, str, str]] = {
    "no credit": (out_of_credit(), "rate_limit_exceeded", "budget is used up"),
    "wrong key": (wrong_key(), "server_error", "refused the key"),
    "too long": (context_too_long(), "invalid_prompt", "too long for this model"),
    "too long, llama.cpp": (
        llama_cpp_context_too_long(),
        "invalid_prompt",
        "too long for this model",
    ),
    "no such model": (model_not_found(), "server_error", "does not know this model"),
    "web page": (web_page(), "server_error", "leads to a web page"),
    "cut off": (Answer(("half ",), ending=Ending.EARLY), "server_error", "closed the connection"),
    "no reason": (
        Answer(("half ",), ending=Ending.NO_FINISH),
        "server_error",
        "closed the connection",
    ),
    "cut": (Answer(("half ",), ending=Ending.CUT), "server_error", "connection broke"),
    "reset": (Answer(("half ",), ending=Ending.RESET), "server_error", "connection broke"),
    "error": (Answer(("half ",), ending=Ending.ERROR), "server_error", "reported an error"),
    "garbage": (
        Answer(("half ",), ending=Ending.BROKEN_JSON),
        "server_error",
        "not a valid answer",
    ),
}


@pytest.mark.parametrize("name", list(BAD_SERVERS))
def test_a_bad_model_server_fails_the_run_in_plain_words_and_nothing_else(
    live: LiveServer, upstream: Upstream, name: str
) -> None:
    script, code, said = BAD_SERVERS[name]
    upstream.queue(script)
    chat = Chat(live.client())

    run = chat.ask("first question")
    half = chat.texts()
    again = chat.ask("second question")

    assert run.status == "failed"
    assert run.last_error is not None
    assert run.last_error.code == code
    assert said in run.last_error.message
    assert UPSTREAM_KEY not in run.last_error.message
    assert half in (["first question"], ["first question", "half "])
    if not (isinstance(script, Answer) and script.ending is Ending.RESET):
        # A reset may overtake the text on its way; every other failure comes after it.
        assert ("half " in half) == (isinstance(script, Answer) and bool(script.text))
    assert again.status == "completed"


def test_a_server_that_is_down_fails_the_run_and_a_retry_answers(
    settings: Settings, upstream: Upstream
) -> None:
    with model_server() as gone:
        url = gone.base_url
    down = dataclasses.replace(settings, openai_base_url=url, openai_model="m")
    with serve(down) as live:
        chat = Chat(live.client())
        run = chat.ask("hello")
        live.server.reload(dataclasses.replace(down, openai_base_url=upstream.base_url))
        retry = live.client().beta.threads.runs.create_and_poll(
            thread_id=chat.thread_id, assistant_id=ASSISTANT, poll_interval_ms=20
        )

    assert run.status == "failed"
    assert run.last_error is not None
    assert "cannot be reached" in run.last_error.message
    assert retry.status == "completed"


def test_cancelling_hangs_up_on_the_model_and_keeps_the_text(
    live: LiveServer, upstream: Upstream
) -> None:
    upstream.queue(Answer(("half ", threading.Event(), "never")))
    client = live.client()
    chat = Chat(client)
    client.beta.threads.messages.create(chat.thread_id, role="user", content="hello")
    with client.beta.threads.runs.create(
        chat.thread_id, assistant_id=ASSISTANT, stream=True
    ) as stream:
        names = []
        for event in stream:
            names.append(event.event)
            if event.event == "thread.message.delta":
                run_id = stream_run_id(client, chat.thread_id)
                shown = client.beta.threads.runs.cancel(run_id, thread_id=chat.thread_id)

    assert shown.status == "cancelling"
    assert names[-1] == "thread.run.cancelled"
    assert chat.texts()[-1] == "half "
    assert upstream.requests[0].hung_up.wait(5)
    assert chat.ask("go on").status == "completed"


def stream_run_id(client: openai.OpenAI, thread_id: str) -> str:
    return client.beta.threads.runs.list(thread_id, limit=1).data[0].id


def test_a_follower_that_leaves_does_not_stop_the_run(live: LiveServer, upstream: Upstream) -> None:
    gate = threading.Event()
    upstream.queue(Answer(("one ", gate, "two")))
    client = live.client()
    chat = Chat(client)
    client.beta.threads.messages.create(chat.thread_id, role="user", content="hello")
    with client.beta.threads.runs.create(
        chat.thread_id, assistant_id=ASSISTANT, stream=True
    ) as stream:
        next(event for event in stream if event.event == "thread.message.delta")
    gate.set()

    run = client.beta.threads.runs.poll(
        stream_run_id(client, chat.thread_id), thread_id=chat.thread_id, poll_interval_ms=20
    )

    assert run.status == "completed"
    assert chat.texts()[-1] == "one two"


def test_a_hanging_model_server_can_be_cancelled(live: LiveServer, upstream: Upstream) -> None:
    upstream.queue(Silence())
    client = live.client()
    chat = Chat(client)
    client.beta.threads.messages.create(chat.thread_id, role="user", content="hello")
    run = client.beta.threads.runs.create(chat.thread_id, assistant_id=ASSISTANT)
    wait_until_asked(upstream)

    client.beta.threads.runs.cancel(run.id, thread_id=chat.thread_id)
    ended = client.beta.threads.runs.poll(run.id, thread_id=chat.thread_id, poll_interval_ms=20)

    assert ended.status == "cancelled"
    assert chat.ask("next").status == "completed"


def wait_until_asked(upstream: Upstream) -> None:
    """Return once a run has reached the model; cancelled before, it would leave the script."""
    pause = threading.Event()
    for _ in range(1000):
        if upstream.requests:
            return
        pause.wait(0.01)
    pytest.fail("the model was never asked")


def test_two_people_asking_at_once_each_get_their_own_answer(live: LiveServer) -> None:
    answers: dict[str, str] = {}

    def talk(name: str) -> None:
        chat = Chat(live.client())
        chat.ask(f"My name is {name}.")
        chat.ask("What is my name?")
        answers[name] = chat.texts()[-1]

    threads = [threading.Thread(target=talk, args=(name,)) for name in ("Ada", "Grace", "Wei")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(answers) == 3
    assert all(name in answer for name, answer in answers.items())


def test_spoken_words_arrive_unharmed(live: LiveServer, upstream: Upstream) -> None:
    words = '小智🙂 says: `x < y` & \u2028 "quotes"\n\n- 列表\n'
    upstream.queue(spoken(words))
    chat = Chat(live.client())

    chat.ask("hello")

    assert chat.texts()[-1] == words


def test_the_key_of_the_settings_is_the_only_one(live: LiveServer) -> None:
    with pytest.raises(openai.AuthenticationError):
        live.client(api_key=f"{API_KEY}x").beta.threads.create()


def test_deleting_a_thread_hangs_up_on_a_silent_model(live: LiveServer, upstream: Upstream) -> None:
    upstream.queue(Answer(("half ", threading.Event())))
    client = live.client()
    chat = Chat(client)
    client.beta.threads.messages.create(chat.thread_id, role="user", content="hello")
    with client.beta.threads.runs.create(
        chat.thread_id, assistant_id=ASSISTANT, stream=True
    ) as stream:
        next(event for event in stream if event.event == "thread.message.delta")

    client.beta.threads.delete(chat.thread_id)

    assert upstream.requests[0].hung_up.wait(5)
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.retrieve(chat.thread_id)
