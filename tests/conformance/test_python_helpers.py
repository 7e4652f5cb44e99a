"""The helpers of OpenAI's Python client: they poll, stream and accumulate, and trust the server."""

from collections import Counter
from functools import partial
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler

from tests.conformance.world import (
    ASK_FOR_TWO,
    ASK_FOR_WEATHER,
    ASSISTANT,
    TEXT,
    WEATHER,
    World,
)
from tests.upstream import Upstream
from tests.upstream_scripts import Answer, Ending
from tests.upstream_wire import LLAMA_CPP, Call

CALLBACKS = [name for name in dir(AssistantEventHandler) if name.startswith("on_")]
SUNNY = "I was told: sunny"


class CountingHandler(AssistantEventHandler):
    """Counts how often each callback was called, and keeps the names of the events."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.events: list[str] = []
        self.failures: list[object] = []
        for name in CALLBACKS:
            setattr(self, name, partial(self._count, name))

    def _count(self, name: str, *given: Any) -> None:
        self.counts[name] += 1
        if name == "on_event":
            self.events.append(given[0].event)
        if name == "on_exception":
            self.failures.append(given[0])


def expected(handler: CountingHandler, **once: int) -> dict[str, int]:
    """What must have been called, given how many deltas came."""
    deltas = {
        "on_event": len(handler.events),
        "on_message_delta": handler.events.count("thread.message.delta"),
        "on_run_step_delta": handler.events.count("thread.run.step.delta"),
    }
    return {name: count for name, count in {"on_end": 1, **deltas, **once}.items() if count}


def text_of(client: openai.OpenAI, thread_id: str) -> str:
    newest = client.beta.threads.messages.list(thread_id, limit=1).data[0]
    return "".join(part.text.value for part in newest.content if part.type == "text")


def test_create_and_poll_ends_with_the_answer(client: openai.OpenAI, world: World) -> None:
    thread = world.thread("Good morning")

    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=ASSISTANT)

    assert run.status == "completed"
    assert text_of(client, thread.id) == "Turn 1. You said: Good morning"


def test_outputs_submitted_by_a_helper_that_polls_lead_to_the_answer(
    client: openai.OpenAI, world: World
) -> None:
    thread = world.thread(ASK_FOR_TWO)
    runs = client.beta.threads.runs

    waiting = runs.create_and_poll(thread_id=thread.id, assistant_id=ASSISTANT, tools=[WEATHER])
    assert waiting.status == "requires_action"
    run = runs.submit_tool_outputs_and_poll(
        run_id=waiting.id, thread_id=thread.id, tool_outputs=world.outputs(waiting)
    )

    assert (run.status, run.required_action) == ("completed", None)
    assert (run.started_at, run.created_at) == (waiting.started_at, waiting.created_at)
    assert text_of(client, thread.id) == "I was told: sunny; sunny"


def test_a_thread_and_its_run_are_created_and_polled_in_one_call(client: openai.OpenAI) -> None:
    run = client.beta.threads.create_and_run_poll(
        assistant_id=ASSISTANT, thread={"messages": [{"role": "user", "content": "hi"}]}
    )

    assert run.status == "completed"
    assert text_of(client, run.thread_id) == "Turn 1. You said: hi"


def test_every_callback_of_a_plain_answer_is_called(client: openai.OpenAI, world: World) -> None:
    handler = CountingHandler()
    thread = world.thread("Good morning")

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=ASSISTANT, event_handler=handler
    ) as stream:
        stream.until_done()

    deltas = handler.events.count("thread.message.delta")
    assert deltas > 1
    assert handler.counts == expected(
        handler,
        on_run_step_created=1,
        on_run_step_done=1,
        on_message_created=1,
        on_message_done=1,
        on_text_created=1,
        on_text_delta=deltas,
        on_text_done=1,
    )
    [message] = handler.get_final_messages()
    assert handler.get_final_run().status == "completed"
    assert message == client.beta.threads.messages.list(thread.id, limit=1).data[0]


@pytest.mark.parametrize("stream_with", ["stream", "create_and_stream"])
def test_every_callback_of_two_function_calls_is_called_and_outputs_are_streamed(
    client: openai.OpenAI, world: World, upstream: Upstream, stream_with: str
) -> None:
    handler, then = CountingHandler(), CountingHandler()
    thread = world.thread(ASK_FOR_TWO)
    calls = [Call("get_weather", '{"city": "Paris"}'), Call("get_weather", '{"city": "Lima"}')]
    upstream.queue(Answer(calls=calls, dialect=LLAMA_CPP))

    with getattr(client.beta.threads.runs, stream_with)(
        thread_id=thread.id, assistant_id=ASSISTANT, tools=[WEATHER], event_handler=handler
    ) as stream:
        stream.until_done()
    waiting = handler.get_final_run()
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=waiting.id,
        thread_id=thread.id,
        tool_outputs=world.outputs(waiting),
        event_handler=then,
    ) as stream:
        stream.until_done()

    assert waiting.status == "requires_action"
    assert handler.events[-2:] == ["thread.run.step.delta", "thread.run.requires_action"]
    assert handler.counts.pop("on_tool_call_delta") >= 2
    assert handler.counts == expected(
        handler, on_run_step_created=1, on_tool_call_created=2, on_tool_call_done=2
    )
    [step] = handler.get_final_run_steps()
    assert step.step_details.type == "tool_calls"
    functions: list[Any] = [call.to_dict()["function"] for call in step.step_details.tool_calls]
    assert [function["arguments"] for function in functions] == [c.arguments for c in calls]
    assert then.events[:2] == ["thread.run.step.completed", "thread.run.queued"]
    assert then.get_final_run().status == "completed"
    assert then.get_final_messages()[0].content[0].to_dict()["text"] == {
        "value": "I was told: sunny; sunny",
        "annotations": [],
    }


def test_the_text_of_a_stream_can_be_read_as_it_comes(client: openai.OpenAI, world: World) -> None:
    thread = world.thread("Good morning")
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=ASSISTANT) as stream:
        pieces = list(stream.text_deltas)

    assert len(pieces) > 1
    assert "".join(pieces) == text_of(client, thread.id)


@pytest.mark.parametrize("delay", [0.0, 0.4], ids=["in mid-answer", "before it"])
def test_a_silent_model_does_not_break_the_stream(
    client: openai.OpenAI, world: World, upstream: Upstream, delay: float
) -> None:
    upstream.queue(Answer(["Slow", "ly"], rate=3, delay=delay))

    with client.beta.threads.runs.stream(
        thread_id=world.thread("hm").id,
        assistant_id=ASSISTANT,
        extra_headers={"X-Heartbeat-Seconds": "0.1"},
    ) as stream:
        assert "".join(stream.text_deltas) == "Slowly"


def test_a_stream_of_a_thread_and_its_run_can_be_asked_for_its_run(client: openai.OpenAI) -> None:
    handler = CountingHandler()
    with client.beta.threads.create_and_run_stream(
        assistant_id=ASSISTANT,
        thread={"messages": [{"role": "user", "content": "hi"}]},
        event_handler=handler,
    ) as stream:
        run = stream.get_final_run()

    assert run.status == "completed"
    assert handler.events[:2] == ["thread.created", "thread.run.created"]


@pytest.mark.parametrize(
    ("answer", "status", "last_message"),
    [
        (Answer(["Half an "], reason="length"), "incomplete", "incomplete"),
        (Answer(["Half an "], ending=Ending.CUT), "failed", "incomplete"),
        (Answer(["Half an "], reason="content_filter"), "incomplete", "incomplete"),
    ],
    ids=["length", "cut", "filter"],
)
def test_a_stream_that_ends_badly_still_has_a_final_run_and_a_final_message(
    client: openai.OpenAI,
    world: World,
    upstream: Upstream,
    answer: Answer,
    status: str,
    last_message: str,
) -> None:
    thread = world.thread("Tell me")
    upstream.queue(answer)
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=ASSISTANT) as stream:
        run = stream.get_final_run()
        [message] = stream.get_final_messages()

    assert run.status == status
    assert message.status == last_message
    assert message == client.beta.threads.messages.list(thread.id, limit=1).data[0]


async def test_the_asynchronous_client_streams_and_submits_as_well(
    client: openai.OpenAI, world: World
) -> None:
    thread = world.thread(ASK_FOR_WEATHER)
    async with openai.AsyncOpenAI(
        base_url=client.base_url, api_key=client.api_key, max_retries=0
    ) as other:
        runs = other.beta.threads.runs
        async with runs.stream(
            thread_id=thread.id, assistant_id=ASSISTANT, tools=[WEATHER]
        ) as stream:
            waiting = await stream.get_final_run()
        async with runs.submit_tool_outputs_stream(
            run_id=waiting.id, thread_id=thread.id, tool_outputs=world.outputs(waiting)
        ) as stream:
            text = "".join([piece async for piece in stream.text_deltas])

    assert text == SUNNY


def test_files_are_uploaded_and_polled_until_they_can_be_searched(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="Notes")

    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("a.txt", TEXT), ("b.md", b"# Nothing of interest")]
    )
    file = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("c.txt", b"The library opens at nine.")
    )

    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    assert file.status == "completed"
    found = client.vector_stores.search(store.id, query="When does the library open?").data
    assert found[0].file_id == file.id
