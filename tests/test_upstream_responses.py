"""The scripted `/v1/responses`, read by the official client and held to its types."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseOutputItem
from pydantic import TypeAdapter

from tests.upstream import Upstream, model_server
from tests.upstream_items import (
    code_run,
    files_searched,
    image_drawn,
    image_not_drawn,
    mcp_call,
    mcp_tools,
    said_before,
    web_search,
)
from tests.upstream_reading import events_of, held_to_types, kinds, official_client, stream
from tests.upstream_scripts import Answer, rate_limited
from tests.upstream_wire import (
    DIALECTS,
    JSON,
    LLAMA_CPP,
    OLLAMA,
    OPENAI,
    Call,
    Dialect,
)

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseOutputItem)
TEXT_ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with official_client(upstream) as opened:
        yield opened


def test_a_text_comes_in_the_order_of_the_real_service(upstream: Upstream) -> None:
    upstream.queue(Answer(["Hello, ", "世界"], dialect=OPENAI))
    events = held_to_types(events_of(upstream))

    assert kinds(events) == TEXT_ORDER
    last = events[-1]["response"]
    assert last["output"][0]["content"][0]["text"] == "Hello, 世界"
    assert last["usage"]["output_tokens"] == 2
    assert (last["status"], events[0]["response"]["status"]) == ("completed", "in_progress")
    assert events[0]["response"]["output"] == []


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_the_official_client_reads_every_server(
    client: openai.OpenAI, upstream: Upstream, dialect: Dialect
) -> None:
    calls = [Call("get_weather", '{"city": "Oslo"}'), Call("get_weather", '{"city": "罗马"}')]
    upstream.queue(Answer(["Let me ", "see."], thoughts=["Hm. "], calls=calls, dialect=dialect))
    events = stream(client, tools=[WEATHER])

    assert events[-1].type == "response.completed"
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(said) == "Let me see."
    called = [item for item in events[-1].response.output if item.type == "function_call"]
    assert [item.arguments for item in called] == [call.arguments for call in calls]
    assert len({item.call_id for item in called}) == (2 if dialect.call_id else 1)


def test_every_tool_of_the_service_is_held_to_the_client_s_types(upstream: Upstream) -> None:
    items = [
        web_search("tea", ["https://tea.example"]),
        mcp_tools("shop", ["buy"]),
        mcp_tools("shop", error="Gone"),
        mcp_call("shop", "buy", '{"what": "tea"}', "Bought."),
        mcp_call("shop", "buy", '{"what": "tea"}', error="Sold out"),
        image_drawn(b"png", partials=1),
        image_not_drawn(),
        code_run("print(1)", ["1\n"], ["https://files.example/1.png"]),
        files_searched(["tea"], [{"file_id": "file_1", "filename": "tea.txt", "score": 0.5}]),
        said_before("Wait. ", "commentary"),
    ]
    upstream.queue(Answer(["Done."], thoughts=["Hm. "], items=items, dialect=OPENAI))
    events = held_to_types(events_of(upstream))

    output = events[-1]["response"]["output"]
    for item in output:
        ITEM.validate_python(item)
    assert [item["type"] for item in output] == [
        "reasoning",
        "web_search_call",
        "mcp_list_tools",
        "mcp_list_tools",
        "mcp_call",
        "mcp_call",
        "image_generation_call",
        "image_generation_call",
        "code_interpreter_call",
        "file_search_call",
        "message",
        "message",
    ]
    assert output[0]["encrypted_content"].startswith("encrypted")
    assert output[8]["outputs"][0] == {"type": "logs", "logs": "1\n"}
    assert len({item["id"] for item in output}) == len(output)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == output


def test_what_is_not_asked_for_does_not_come(upstream: Upstream) -> None:
    items = [code_run("1", ["1"]), files_searched(["tea"], [{"text": "Tea."}]), web_search("tea")]
    upstream.queue(Answer(["Done."], thoughts=["Hm. "], items=items, dialect=OPENAI))
    output = events_of(upstream, include=[])[-1]["response"]["output"]

    assert "encrypted_content" not in output[0]
    assert (output[1]["outputs"], output[2]["results"]) == (None, None)
    assert "sources" not in output[3]["action"]


def test_annotations_and_refusals_are_told_as_they_come(upstream: Upstream) -> None:
    notes: list[JSON] = [
        {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 4},
        {
            "type": "url_citation",
            "url": "https://a.example",
            "title": "A",
            "start_index": 0,
            "end_index": 3,
        },
        {
            "type": "container_file_citation",
            "container_id": "cntr_1",
            "file_id": "cfile_1",
            "filename": "a.csv",
            "start_index": 0,
            "end_index": 3,
        },
        {"type": "file_path", "file_id": "file_2", "index": 1},
    ]
    upstream.queue(Answer(["Tea!"], annotations=notes), Answer(refusal=["No, ", "never."]))
    noted, refused = (held_to_types(events_of(upstream)) for _ in range(2))

    told = [event["annotation"] for event in noted if "annotation" in event]
    assert told == notes == noted[-1]["response"]["output"][0]["content"][0]["annotations"]
    assert refused[-1]["response"]["output"][0]["content"][0] == {
        "type": "refusal",
        "refusal": "No, never.",
    }
    assert "response.refusal.done" in kinds(refused)


@pytest.mark.parametrize("dialect", [OPENAI, OLLAMA, LLAMA_CPP])
def test_without_a_stream_there_is_one_body(
    client: openai.OpenAI, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.queue(Answer(["Hello, ", "you"], thoughts=["Hm."], calls=[Call("f")], dialect=dialect))
    answer = client.responses.create(model="m", input="Hi")

    assert answer.output_text == "Hello, you"
    assert [item.type for item in answer.output] == ["reasoning", "message", "function_call"]
    if dialect is OPENAI:
        Response.model_validate(answer.model_dump(), strict=False)


def test_the_mind_answers_here_as_well(client: openai.OpenAI) -> None:
    told: list[Any] = [
        {"role": "user", "content": "My name is Ada."},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi"}],
        },
        {"role": "user", "content": [{"type": "input_text", "text": "What is my name?"}]},
    ]
    order = 'call get_weather({"city": "Oslo"}) and call get_weather({"city": "Rome"})'

    assert client.responses.create(model="m", input=told).output_text == "Your name is Ada."
    called = client.responses.create(model="m", input=order, tools=[WEATHER], store=False)
    outputs: list[Any] = [
        {"type": "function_call_output", "call_id": item.call_id, "output": item.arguments}
        for item in called.output
        if item.type == "function_call"
    ]
    back: list[Any] = [item.model_dump(exclude={"id"}, exclude_none=True) for item in called.output]
    history: list[Any] = [{"role": "user", "content": order}, *back, *outputs]
    answer = client.responses.create(model="m", input=history, tools=[WEATHER], store=False)
    assert answer.output_text == 'I was told: {"city": "Oslo"}; {"city": "Rome"}'


def test_refusals_and_headers_are_those_of_the_script(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(
        rate_limited("7"), Answer(["a"], headers={"x-ratelimit-remaining-requests": "3"})
    )

    with pytest.raises(openai.RateLimitError) as refused:
        stream(client)
    assert refused.value.response.headers["retry-after"] == "7"
    with client.responses.with_streaming_response.create(
        model="m", input="Hi", stream=True
    ) as answer:
        assert answer.headers["x-ratelimit-remaining-requests"] == "3"


def test_usage_tells_what_was_cached_and_what_was_thought(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], cached=5, reasoned=3, model="m-2026", dialect=OPENAI))
    last = events_of(upstream)[-1]["response"]

    assert last["usage"]["input_tokens_details"]["cached_tokens"] == 5
    assert last["usage"]["output_tokens_details"] == {"reasoning_tokens": 3}
    assert last["model"] == "m-2026"
