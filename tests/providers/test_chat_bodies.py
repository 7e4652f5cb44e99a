"""Answers that come as one JSON body although a stream was asked for."""

from typing import Any

import pytest

from streamlit_assistant.errors import RunErrorCode, Trouble
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from tests.providers.chat_talk import CALLS, STOP, failure, heard, provider_at
from tests.providers.conftest import SSE, RawUpstream


def completion(finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    """A whole answer, as servers give it that do not stream."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **message},
        "finish_reason": finish,
    }
    counts = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": counts}


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", SSE, ""])
async def test_it_is_read_as_the_whole_answer_whatever_it_is_called(
    upstream: RawUpstream, kind: str
) -> None:
    upstream.say_whole(completion(content="你好 yes"), kind)

    assert await heard(upstream) == [TextDelta("你好 yes"), STOP, Usage(5, 2)]


async def test_it_may_come_in_pieces_and_begin_with_blanks(upstream: RawUpstream) -> None:
    upstream.say_whole(completion(content="yes"), "text/plain")
    [body] = upstream.pieces
    assert isinstance(body, bytes)
    upstream.pieces = [b"\n ", *(body[n : n + 7] for n in range(0, len(body), 7))]

    assert await heard(upstream) == [TextDelta("yes"), STOP, Usage(5, 2)]


async def test_thoughts_and_refusals_and_limits_are_read_from_it(upstream: RawUpstream) -> None:
    upstream.say_whole(completion("length", content="yes", reasoning_content="hm"))
    limited = Finish(FinishReason.MAX_TOKENS)
    thought = ReasoningDelta("hm")
    assert await heard(upstream) == [thought, TextDelta("yes"), limited, Usage(5, 2)]

    upstream.say_whole(completion(content="<think>hm</think>\nyes"))
    assert await heard(upstream) == [thought, TextDelta("yes"), STOP, Usage(5, 2)]

    upstream.say_whole(completion(refusal="no"))
    assert await heard(upstream) == [RefusalDelta("no"), STOP, Usage(5, 2)]


async def test_calls_are_read_from_it(upstream: RawUpstream) -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
    ]
    upstream.say_whole(completion("tool_calls", tool_calls=calls, reasoning="hm"))

    assert await heard(upstream) == [
        ReasoningDelta("hm"),
        CallStart(0, "a", "f"),
        CallArguments(0, '{"x": 1}'),
        CallStart(1, "b", "f"),
        CallArguments(1, '{"x": 1}'),
        Remember({"message": {"reasoning": "hm"}, "calls": [{}, {}]}, "here"),
        CALLS,
        Usage(5, 2),
    ]


async def test_a_whole_answer_in_one_event_is_read_too(upstream: RawUpstream) -> None:
    upstream.say(completion(content="yes"))

    assert await heard(upstream) == [TextDelta("yes"), STOP, Usage(5, 2)]


async def test_without_a_reason_it_was_cut_off(upstream: RawUpstream) -> None:
    upstream.say_whole(completion(None, content="ye"))

    assert await heard(upstream) == [TextDelta("ye"), Usage(5, 2)]


@pytest.mark.parametrize(
    ("error", "trouble", "limited"),
    [
        ({"message": "overloaded", "code": 502}, Trouble.PASSING, False),
        ({"message": "overloaded", "code": 429}, Trouble.PASSING, True),
        ("overloaded", Trouble.PASSING, False),
    ],
)
async def test_an_error_in_it_is_told_in_the_servers_words(
    upstream: RawUpstream, error: Any, trouble: Trouble, limited: bool
) -> None:
    client, provider = provider_at(upstream.url)
    async with client:
        for body in ({"error": error}, completion("error") | {"error": error}):
            upstream.say_whole(body)
            seen, found = await failure(provider)

            assert seen == []
            assert found.message.endswith("overloaded")
            assert found.trouble is trouble
            assert (found.code is RunErrorCode.RATE_LIMIT_EXCEEDED) is limited


@pytest.mark.parametrize(
    "body",
    [{}, [], 3, None, "yes", {"choices": []}, {"choices": None}, {"choices": ["x"]}, {"id": "c"}],
)
async def test_any_other_json_is_no_answer(upstream: RawUpstream, body: Any) -> None:
    client, provider = provider_at(upstream.url)
    upstream.say_whole(body)
    async with client:
        seen, error = await failure(provider)

    assert seen == []
    assert "not a valid answer" in error.message


async def test_half_of_it_is_no_answer(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url)
    upstream.say_whole(completion(content="yes"))
    upstream.pieces = [piece[:-9] for piece in upstream.pieces if isinstance(piece, bytes)]
    async with client:
        seen, error = await failure(provider)

    assert seen == []
    assert "not a valid answer" in error.message


async def test_an_empty_body_ends_without_a_word(upstream: RawUpstream) -> None:
    upstream.content_type = "application/json"

    assert await heard(upstream) == []
