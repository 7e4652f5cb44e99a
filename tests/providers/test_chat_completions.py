"""The Chat Completions adapter against a model server on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streamlit_assistant.providers.base import (
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from tests.providers.chat_talk import STOP, deltas, provider_at, request
from tests.providers.conftest import RawUpstream, chunk, usage


@pytest.fixture
async def provider(upstream: RawUpstream) -> AsyncIterator[ChatCompletionsProvider]:
    client, built = provider_at(upstream.url, first_token_seconds=1.0, silence_seconds=1.0)
    async with client:
        yield built


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
