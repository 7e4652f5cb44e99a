"""What the Chat Completions adapter makes of failures, over a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble
from streamlit_assistant.providers.base import TextDelta
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.chat.dialects import VLLM
from streamlit_assistant.providers.upstream_failure import COMPLAINT_SECONDS
from tests.providers.chat_talk import STOP, deltas, failure, provider_at, request
from tests.providers.conftest import RawUpstream, chunk


@pytest.fixture
async def provider(upstream: RawUpstream) -> AsyncIterator[ChatCompletionsProvider]:
    client, built = provider_at(upstream.url, first_token_seconds=1.0, silence_seconds=1.0)
    async with client:
        yield built


@pytest.mark.parametrize(
    ("status", "kind", "body", "said", "code"),
    [
        (200, "text/html", b"<html>hello</html>", "most end in /v1", RunErrorCode.SERVER_ERROR),
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


async def test_bytes_that_are_no_text_are_no_answer(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="half"))
    upstream.pieces[1:] = [b'data: {"choices": "\xff\xfe"}\n\n']

    seen, error = await failure(provider)

    assert seen == [TextDelta("half")]
    assert "not a valid answer" in error.message


@pytest.mark.parametrize(
    ("event", "status", "trouble", "code"),
    [
        # OpenRouter, once it has begun to stream.
        ({"error": {"code": 502, "message": "it failed"}}, 502, Trouble.PASSING, None),
        ({"error": {"code": 429, "message": "it failed"}}, 429, Trouble.PASSING, "rate"),
        ({"error": {"code": 402, "message": "it failed"}}, 402, Trouble.ELSEWHERE, "rate"),
        ({"error": {"code": 404, "message": "it failed"}}, 404, Trouble.ELSEWHERE, None),
        # The reason for the end beside the error, and the error within the choice.
        (
            chunk("error", content="") | {"error": {"code": 503, "message": "it failed"}},
            503,
            Trouble.PASSING,
            None,
        ),
        (
            {
                "choices": [
                    {"finish_reason": "error", "error": {"code": 429, "message": "it failed"}}
                ]
            },
            429,
            Trouble.PASSING,
            "rate",
        ),
        # Without an envelope: vLLM and Mistral, FastAPI, and others.
        ({"object": "error", "message": "it failed", "code": 401}, 401, Trouble.ELSEWHERE, None),
        ({"message": "it failed", "code": 503, "type": "x"}, 503, Trouble.PASSING, None),
        ({"error": "it failed"}, 500, Trouble.PASSING, None),
    ],
)
async def test_an_error_in_mid_stream_is_understood_however_it_is_written(
    upstream: RawUpstream,
    provider: ChatCompletionsProvider,
    event: dict[str, object],
    status: int,
    trouble: Trouble,
    code: str | None,
) -> None:
    upstream.say(chunk(content="half"), event)

    seen, error = await failure(provider)

    assert seen == [TextDelta("half")]
    assert "it failed" in error.message, status
    assert error.trouble is trouble
    limited = error.code is RunErrorCode.RATE_LIMIT_EXCEEDED
    assert limited is (code == "rate")


async def test_an_event_named_error_is_one(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.pieces = [b'event: error\ndata: {"choices": [], "reason": "it failed"}\n\n']

    seen, error = await failure(provider)

    assert seen == []
    assert "it failed" in error.message


async def test_an_error_after_the_end_does_no_harm(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="x"), chunk("stop"), {"error": {"code": 502, "message": "late"}})

    assert await deltas(provider) == [TextDelta("x"), STOP]


async def test_a_server_that_holds_the_line_after_the_end_is_not_waited_for(
    upstream: RawUpstream,
) -> None:
    client, provider = provider_at(upstream.url, silence_seconds=60.0)
    upstream.say(chunk(content="x"), chunk("stop"))
    upstream.pieces[-1:] = [30.0]

    async with client, asyncio.timeout(5):
        assert await deltas(provider) == [TextDelta("x"), STOP]


async def test_comments_keep_a_server_alive_that_is_still_at_work(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url, first_token_seconds=0.5)
    waiting: list[bytes | float] = [b": PROCESSING\n\n", 0.3]
    upstream.say(chunk(content="x"), chunk("stop"))
    upstream.pieces[:0] = waiting * 4

    async with client:
        assert await deltas(provider) == [TextDelta("x"), STOP]


async def test_the_first_word_may_take_longer_than_the_next(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url, first_token_seconds=2.0, silence_seconds=0.2)
    upstream.say(chunk(role="assistant", content=""), chunk(content="x"), chunk(content="y"))
    upstream.pieces[1:1] = [0.5]  # the model is being loaded
    upstream.pieces[3:3] = [5.0]

    async with client:
        seen, error = await failure(provider)

    assert seen == [TextDelta("x")]
    assert "did not answer in time" in error.message


async def test_a_refusal_whose_words_never_end_is_known_by_its_status(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.status, upstream.content_type = 429, "application/json"
    upstream.pieces = [b'{"error":', 60.0, b"{}}"]

    async with asyncio.timeout(COMPLAINT_SECONDS + 10):
        _, error = await failure(provider)

    assert error.code is RunErrorCode.RATE_LIMIT_EXCEEDED


async def test_a_line_that_is_kept_open_after_the_answer_does_not_keep_the_run_open(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.say(chunk(content="Hello."), chunk("stop"))
    upstream.pieces[-1:] = [0.2, b": still here\n\n"] * 300

    async with asyncio.timeout(20):
        seen = await deltas(provider)

    assert seen == [TextDelta("Hello."), STOP]


async def test_silence_of_a_server_that_knows_the_parameter_is_a_mishap(
    upstream: RawUpstream, provider: ChatCompletionsProvider
) -> None:
    upstream.pieces = []
    forced = request(functions=[{"name": "f"}], tool_choice="required")

    _, unknown = await failure(provider, forced)
    provider.dialect = VLLM

    assert unknown.trouble is Trouble.PARAMETER
    assert await deltas(provider, forced) == []
