"""The Chat Completions adapter against a model server on a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from streamlit_assistant.errors import RunErrorCode, UpstreamError
from streamlit_assistant.providers.base import (
    CallArguments,
    CallsMessage,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    FunctionCall,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Turn,
    Usage,
)
from streamlit_assistant.providers.chat_completions import ChatCompletionsProvider
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.providers.conftest import SSE, RawUpstream, chunk, usage

KEY = "sk-secret-0123456789"
STOP = Finish(FinishReason.STOP)


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def request(*messages: PromptMessage, **fields: Any) -> ModelRequest:
    shown = messages or (PromptMessage("user", [text("hi")]),)
    return ModelRequest(**{"model": "m", "instructions": "Be kind.", "messages": shown, **fields})


def provider_at(url: str, **options: Any) -> tuple[httpx2.AsyncClient, ChatCompletionsProvider]:
    client = httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"})
    return client, ChatCompletionsProvider(client, Explainer(url, KEY), **options)


@pytest.fixture
async def provider(upstream: RawUpstream) -> AsyncIterator[ChatCompletionsProvider]:
    client, built = provider_at(upstream.url, first_token_seconds=1.0, silence_seconds=1.0)
    async with client:
        yield built


async def deltas(
    provider: ChatCompletionsProvider, asked: ModelRequest | None = None
) -> list[Delta]:
    return [delta async for delta in provider.stream(asked or request())]


async def failure(provider: ChatCompletionsProvider) -> tuple[list[Delta], UpstreamError]:
    seen: list[Delta] = []
    with pytest.raises(UpstreamError) as caught:
        async for delta in provider.stream(request()):
            seen.append(delta)
    return seen, caught.value


async def test_text_usage_and_the_end_arrive_as_deltas(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(
        chunk(role="assistant", content=""),
        chunk(content="你"),
        chunk(content="好🙂"),
        chunk("stop"),
        usage(5, 2),
    )

    assert await deltas(provider) == [TextDelta("你"), TextDelta("好🙂"), STOP, Usage(5, 2)]


async def test_usage_on_the_last_choice_counts_too(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    last = chunk("stop", content="x") | {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    upstream.say(last)

    assert await deltas(provider) == [TextDelta("x"), STOP, Usage(1, 1)]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thinking_is_told_apart_from_the_answer(
    upstream: RawUpstream, provider: ChatCompletionsProvider, field: str
) -> None:
    upstream.say(chunk(**{field: "hm"}), chunk(content="yes"), chunk("stop"))

    assert await deltas(provider) == [ReasoningDelta("hm"), TextDelta("yes"), STOP]


async def test_a_refusal_is_told_apart_from_the_answer(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(refusal="no"), chunk("stop"))

    assert await deltas(provider) == [RefusalDelta("no"), STOP]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("length", FinishReason.MAX_TOKENS), ("content_filter", FinishReason.CONTENT_FILTER)],
)
async def test_why_the_model_stopped_is_passed_on(
    upstream: RawUpstream, provider: ChatCompletionsProvider, said: str, meant: FinishReason
) -> None:
    upstream.say(chunk(content="x"), chunk(said))

    assert await deltas(provider) == [TextDelta("x"), Finish(meant)]


async def test_comments_and_bytes_cut_anywhere_do_no_harm(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="小智"), chunk("stop"))
    whole = b": PROCESSING\n\n" + b"".join(p for p in upstream.pieces if isinstance(p, bytes))
    upstream.pieces = [whole[n : n + 1] for n in range(len(whole))]

    assert await deltas(provider) == [TextDelta("小智"), STOP]


async def test_an_early_end_has_no_finish(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="half"))
    upstream.pieces.pop()

    assert await deltas(provider) == [TextDelta("half")]


@pytest.mark.parametrize(
    ("status", "kind", "body", "said", "code"),
    [
        (200, "text/html", b"<html>hello</html>", "most end in /v1", RunErrorCode.SERVER_ERROR),
        (200, "application/json", b"{}", "does not stream", RunErrorCode.SERVER_ERROR),
        (
            401,
            "application/json",
            b'{"error":{"message":"Incorrect API key provided: sk-secret-0123456789"}}',
            "refused the key in OPENAI_API_KEY",
            RunErrorCode.SERVER_ERROR,
        ),
        (
            404,
            "application/json",
            b'{"error":{"message":"model \'m\' not found"}}',
            "model 'm' not found",
            RunErrorCode.SERVER_ERROR,
        ),
        (
            429,
            "application/json",
            b'{"error":{"message":"slow down","type":"requests"}}',
            "slow down",
            RunErrorCode.RATE_LIMIT_EXCEEDED,
        ),
        (
            402,
            "application/json",
            b'{"error":{"message":"no credits","code":402}}',
            "no credits",
            RunErrorCode.RATE_LIMIT_EXCEEDED,
        ),
        (
            400,
            "application/json",
            b'{"error":{"message":"too long","type":"exceed_context_size_error","code":400}}',
            "too long",
            RunErrorCode.INVALID_PROMPT,
        ),
        (
            502,
            "text/html",
            b"<!doctype html><html>Bad gateway</html>",
            "failed with status 502: it answered with a web page",
            RunErrorCode.SERVER_ERROR,
        ),
        (500, "text/plain", b"", "failed with status 500", RunErrorCode.SERVER_ERROR),
    ],
)
async def test_a_refusal_of_the_server_becomes_plain_words(
    upstream: RawUpstream,
    provider: ChatCompletionsProvider,
    status: int,
    kind: str,
    body: bytes,
    said: str,
    code: RunErrorCode,
) -> None:
    upstream.status, upstream.content_type, upstream.pieces = status, kind, [body]

    seen, error = await failure(provider)

    assert seen == []
    assert said in error.message
    assert error.code is code
    assert "secret" not in error.message
    assert "<" not in error.message


async def test_the_servers_request_id_is_passed_on(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.status, upstream.content_type = 500, "application/json"
    upstream.headers = {"x-request-id": "req_7"}
    upstream.pieces = [b'{"error":{"message":"oops"}}']

    _, error = await failure(provider)

    assert error.message.endswith("oops (request req_7)")


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ([b'data: {"error":{"code":502,"message":"upstream died"}}\n\n'], "upstream died"),
        ([b"data: {broken\n\n"], "not a valid answer"),
        ([2.0], "did not answer in time"),
    ],
)
async def test_a_failure_in_mid_stream_keeps_what_came_before(
    upstream: RawUpstream,
    provider: ChatCompletionsProvider,
    tail: list[bytes | float],
    said: str,
) -> None:
    upstream.say(chunk(content="half"))
    upstream.pieces[1:] = tail

    seen, error = await failure(provider)

    assert seen == [TextDelta("half")]
    assert said in error.message


async def test_a_server_that_hangs_is_given_up(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.pause_before = 2.0

    _, error = await failure(provider)

    assert "did not answer in time" in error.message


async def test_a_server_that_is_down_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://user:hunter22@127.0.0.1:{port}/v1"
    client, provider = provider_at(url)
    async with client:
        _, error = await failure(provider)

    assert f"127.0.0.1:{port}/v1 cannot be reached" in error.message
    assert "hunter22" not in error.message


async def test_a_connection_reset_in_mid_stream_is_noticed() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
        writer.write(head + b"\r\n\r\n5\r\ndata:\r\n")
        await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    client, provider = provider_at(url)
    async with server, client:
        _, error = await failure(provider)

    assert "the connection broke" in error.message


async def test_closing_the_stream_hangs_up_on_the_server(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="first"))
    upstream.pieces[1:] = [5.0]
    stream = provider.stream(request())
    await anext(stream)

    await stream.aclose()

    async with asyncio.timeout(3):
        while not upstream.client_left.is_set():  # noqa: ASYNC110 - set in another thread's loop
            await asyncio.sleep(0.01)


async def test_the_conversation_is_sent_in_the_form_every_server_knows(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="x"), chunk("stop"))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}

    await deltas(
        provider,
        request(
            PromptMessage("user", [text("one"), text("two")]),
            PromptMessage("assistant", [{"type": "refusal", "refusal": "no"}]),
            PromptMessage("user", [text("look"), image]),
            max_completion_tokens=300,
            temperature=0.0,
            response_format={"type": "json_object"},
        ),
    )

    [body] = upstream.requests
    assert body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "one\n\ntwo"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
    ]
    assert (body["max_tokens"], body["temperature"]) == (300, 0.0)
    assert body["response_format"] == {"type": "json_object"}
    assert body["stream_options"] == {"include_usage": True}
    assert not {"max_completion_tokens", "top_p", "reasoning_effort"} & set(body)


async def test_openai_is_asked_with_its_own_names(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="x"), chunk("stop"))
    client, provider = provider_at(upstream.url, is_openai=True)

    async with client:
        await deltas(provider, request(max_completion_tokens=300))

    assert upstream.requests[0]["max_completion_tokens"] == 300
    assert "max_tokens" not in upstream.requests[0]
    assert upstream.content_type == SSE


async def test_content_in_parts_is_read_like_text(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(
        chunk(content=[{"type": "text", "text": "yes"}, {"type": "thinking"}, 3]), chunk("stop")
    )

    assert await deltas(provider) == [TextDelta("yes"), STOP]


async def test_the_halves_of_a_character_are_joined_and_a_lone_one_is_replaced(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    halves = [chunk(content="a\ud83d"), chunk(content="\ude00b"), chunk(content="\ude00")]
    upstream.say(*halves, chunk("stop"))

    said = [d.text for d in await deltas(provider) if isinstance(d, TextDelta)]

    assert "".join(said) == "a😀b\ufffd"


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"object": "ping"},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 3}}]},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"choices": [], "usage": {"prompt_tokens": 1.5, "completion_tokens": "2"}},
        {"choices": [], "usage": "free"},
    ],
)
async def test_what_says_nothing_does_no_harm(
    upstream: RawUpstream, provider: ChatCompletionsProvider, odd: dict[str, Any]
) -> None:
    upstream.say(chunk(content="x"), odd, chunk("stop"))

    assert await deltas(provider) == [TextDelta("x"), STOP]


async def test_an_unknown_reason_is_an_end_like_any_other(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="x"), chunk("eos_token"))

    assert await deltas(provider) == [TextDelta("x"), STOP]


@pytest.mark.parametrize("reason", ["tool_calls", "error"])
async def test_an_end_that_is_no_answer_fails(
    upstream: RawUpstream, provider: ChatCompletionsProvider, reason: str
) -> None:
    upstream.say(chunk(content="x"), chunk(reason))

    _, error = await failure(provider)

    assert f"ended the answer with '{reason}'" in error.message


async def test_nothing_that_breaks_after_the_end_can_harm_the_answer(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="x"), chunk("stop"))
    upstream.pieces[-1] = b"data: {broken\n\n"

    assert await deltas(provider) == [TextDelta("x"), STOP]


async def test_an_error_in_one_body_is_told_in_the_servers_words(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.content_type = "application/json"
    upstream.pieces = [b'{"error":{"message":"provider overloaded","code":502}}']

    _, error = await failure(provider)

    assert error.message.endswith("provider overloaded")


FUNCTION = {"name": "get_weather", "description": "The weather.", "strict": False}


async def test_calls_arrive_as_deltas_whatever_the_reason_says(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    opened = {"index": 0, "id": "call_1", "type": "function"}
    for reason in ("tool_calls", "stop", "function_call"):
        upstream.say(
            chunk(tool_calls=[{**opened, "function": {"name": "f", "arguments": ""}}]),
            chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"a": 1}'}}]),
            chunk(reason),
        )

        assert await deltas(provider) == [
            CallStart(0, "call_1", "f"),
            CallArguments(0, '{"a": 1}'),
            Finish(FinishReason.TOOL_CALLS),
        ]


async def test_a_call_cut_off_by_a_limit_says_so(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    opened = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"a'}}
    upstream.say(chunk(tool_calls=[opened]), chunk("length"))

    assert (await deltas(provider))[-1] == Finish(FinishReason.MAX_TOKENS)


async def test_the_function_call_of_old_servers_is_one_too(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(
        chunk(function_call={"name": "f", "arguments": "{"}),
        chunk(function_call={"arguments": "}"}),
        chunk("function_call"),
    )

    start, *rest = await deltas(provider)
    assert isinstance(start, CallStart)
    assert start.name == "f"
    assert rest == [CallArguments(0, "{"), CallArguments(0, "}"), Finish(FinishReason.TOOL_CALLS)]


async def test_functions_are_sent_as_tools(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="x"), chunk("stop"))
    await deltas(provider, request(functions=[FUNCTION]))
    await deltas(provider, request(functions=[{**FUNCTION, "strict": True}]))
    named = request(functions=[FUNCTION], tool_choice="function:get_weather")
    await deltas(provider, named)
    forced = request(functions=[FUNCTION], tool_choice="required", parallel_tool_calls=False)
    await deltas(provider, forced)
    plain, strict, chosen, required = upstream.requests

    empty = {"type": "object", "properties": {}}
    described = {"name": "get_weather", "description": "The weather.", "parameters": empty}
    assert plain["tools"] == [{"type": "function", "function": described}]
    assert "tool_choice" not in plain
    assert "parallel_tool_calls" not in plain
    assert strict["tools"][0]["function"]["strict"] is True
    assert chosen["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert (required["tool_choice"], required["parallel_tool_calls"]) == ("required", False)


async def test_calls_and_their_outputs_are_sent_as_turns(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="x"), chunk("stop"))
    calls = CallsMessage([FunctionCall("c1", "f", "{}")])
    spoken = CallsMessage([FunctionCall("c2", "f", "{}")], [text("Looking.")])
    outputs = OutputMessage("c1", "one"), OutputMessage("c2", "two")
    turns: list[Turn] = [calls, outputs[0], spoken, outputs[1]]
    await deltas(provider, ModelRequest("m", "", turns))

    function = {"name": "f", "arguments": "{}"}
    assert upstream.requests[0]["messages"] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [{"id": "c2", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]
