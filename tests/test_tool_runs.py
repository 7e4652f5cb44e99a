"""Function tools from the official client to a model server and back, all parts real."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from openai import AssistantEventHandler

from streamlit_assistant.settings import Settings
from tests.api.conftest import checked
from tests.conftest import API_KEY, LiveServer, serve
from tests.spec_validator import load_spec
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import Answer
from tests.upstream_wire import DIALECTS, Call, Dialect

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
BOTH = 'call get_weather({"city": "Oslo"}) and call get_weather({"city": "罗马"})'


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as server:
        yield server


@pytest.fixture
def live(settings: Settings, upstream: Upstream) -> Iterator[LiveServer]:
    with serve(replace(settings, openai_base_url=upstream.base_url)) as server:
        yield server


@pytest.fixture
def client(live: LiveServer) -> Iterator[openai.OpenAI]:
    hooks = {"response": [checked(load_spec())]}
    with openai.DefaultHttpx2Client(event_hooks=hooks) as http:
        yield live.client(http_client=http)


def ask(client: openai.OpenAI, question: str) -> tuple[str, str]:
    assistant = client.beta.assistants.create(model="scripted", tools=[WEATHER])
    message: Any = {"role": "user", "content": question}
    return client.beta.threads.create(messages=[message]).id, assistant.id


def outputs(run: Any, text: str = "{}") -> list[Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [
        {"tool_call_id": call.id, "output": text.format(call.function.arguments)} for call in calls
    ]


def last_text(client: openai.OpenAI, thread_id: str) -> str:
    part: Any = client.beta.threads.messages.list(thread_id, limit=1).data[0].content[0]
    text: str = part.text.value
    return text


def test_polling_helpers_carry_a_run_through_its_calls(client: openai.OpenAI) -> None:
    thread, assistant = ask(client, BOTH)
    runs = client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread, assistant_id=assistant)
    done = runs.submit_tool_outputs_and_poll(
        thread_id=thread, run_id=run.id, tool_outputs=outputs(run, "Fine: {}")
    )
    steps = runs.steps.list(run.id, thread_id=thread, order="asc").data

    assert run.status == "requires_action"
    assert done.status == "completed"
    assert last_text(client, thread) == (
        'I was told: Fine: {"city": "Oslo"}; Fine: {"city": "罗马"}'
    )
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]
    assert done.usage is not None
    assert done.usage.total_tokens == sum(step.usage.total_tokens for step in steps if step.usage)


class Seen(AssistantEventHandler):
    """Notes what a program that follows a stream is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.arguments: list[str] = []
        self.text = ""

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.calls.append(f"created {tool_call.function.name}")

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.arguments.append(delta.function.arguments or "")

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.calls.append(f"done {tool_call.function.arguments}")

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.text += delta.value or ""


def test_streaming_helpers_follow_the_calls_and_the_answer(client: openai.OpenAI) -> None:
    thread, assistant = ask(client, BOTH)
    runs = client.beta.threads.runs
    first, second = Seen(), Seen()
    with runs.stream(thread_id=thread, assistant_id=assistant, event_handler=first) as stream:
        stream.until_done()
        run = stream.current_run
    assert run is not None
    with runs.submit_tool_outputs_stream(
        thread_id=thread, run_id=run.id, tool_outputs=outputs(run), event_handler=second
    ) as stream:
        stream.until_done()

    assert first.calls == [
        "created get_weather",
        'done {"city": "Oslo"}',
        "created get_weather",
        'done {"city": "罗马"}',
    ]
    assert "".join(first.arguments) == '{"city": "Oslo"}{"city": "罗马"}'
    assert second.text == 'I was told: {"city": "Oslo"}; {"city": "罗马"}'


@pytest.mark.parametrize("name", DIALECTS)
def test_every_server_s_way_of_calling_is_understood(
    name: str, client: openai.OpenAI, upstream: Upstream
) -> None:
    dialect: Dialect = DIALECTS[name]
    calls = [Call("get_weather", '{"city": "Oslo"}'), Call("get_weather", '{"city": "Rome"}')]
    upstream.queue(Answer(["Let me ", "see."], calls=calls, dialect=dialect))
    thread, assistant = ask(client, "?")
    runs = client.beta.threads.runs
    run: Any = runs.create_and_poll(thread_id=thread, assistant_id=assistant)

    called = run.required_action.submit_tool_outputs.tool_calls
    assert [call.function.arguments for call in called] == [call.arguments for call in calls]
    assert len({call.id for call in called}) == 2
    assert last_text(client, thread) == "Let me see."


def test_refusals_have_the_service_s_words(client: openai.OpenAI) -> None:
    thread, assistant = ask(client, 'call get_weather({"city": "Oslo"})')
    runs = client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread, assistant_id=assistant)
    (call,) = outputs(run)
    other: Any = {**call, "tool_call_id": "call_x"}
    for wrong, got in (([], "[]"), ([other], "['call_x']")):
        with pytest.raises(openai.BadRequestError) as refused:
            runs.submit_tool_outputs(run.id, thread_id=thread, tool_outputs=wrong)
        expected = f"Expected tool outputs for call_ids ['{call['tool_call_id']}'], got {got}"
        assert refused.value.body == {
            "message": expected,
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    runs.cancel(run.id, thread_id=thread)
    ended = runs.poll(run.id, thread_id=thread)
    with pytest.raises(openai.BadRequestError, match='Runs in status "cancelled" do not accept'):
        runs.submit_tool_outputs(run.id, thread_id=thread, tool_outputs=[call])
    assert ended.status == "cancelled"


def test_metadata_of_a_run_changes_in_any_status(client: openai.OpenAI) -> None:
    thread, assistant = ask(client, 'call get_weather({"city": "Oslo"})')
    runs = client.beta.threads.runs
    run = runs.create_and_poll(thread_id=thread, assistant_id=assistant)
    waiting = runs.update(run.id, thread_id=thread, metadata={"a": "1"})
    kept = runs.update(run.id, thread_id=thread)
    runs.cancel(run.id, thread_id=thread)
    runs.poll(run.id, thread_id=thread)
    ended = runs.update(run.id, thread_id=thread, metadata=None)

    assert (waiting.status, waiting.metadata) == ("requires_action", {"a": "1"})
    assert kept.metadata == {"a": "1"}
    assert (ended.status, ended.metadata) == ("cancelled", {})


def test_polling_is_told_how_long_to_wait(client: openai.OpenAI, live: LiveServer) -> None:
    thread, assistant = ask(client, "hello")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread, assistant_id=assistant)
    key = {"Authorization": f"Bearer {API_KEY}"}
    answer = httpx.get(f"{live.url}/v1/threads/{thread}/runs/{run.id}", headers=key)

    assert 50 <= int(answer.headers["openai-poll-after-ms"]) <= 1000
