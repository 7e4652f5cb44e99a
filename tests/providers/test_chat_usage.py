"""The tokens of an answer, wherever in a stream they are told."""

from typing import Any

import pytest

from streamlit_assistant.providers.base import TextDelta, Usage
from tests.providers.chat_talk import STOP, failure, heard, provider_at
from tests.providers.conftest import RawUpstream, chunk, usage

X = TextDelta("x")


def counted(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}}


async def test_in_a_last_chunk_without_choices(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="x"), chunk("stop"), usage(5, 2))

    assert await heard(upstream) == [X, STOP, Usage(5, 2)]


async def test_in_the_chunk_with_the_reason(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="x"), chunk("stop") | counted(5, 2))

    assert await heard(upstream) == [X, STOP, Usage(5, 2)]


async def test_in_every_chunk_the_last_one_counts(upstream: RawUpstream) -> None:
    upstream.say(
        chunk(content="x") | counted(5, 1),
        chunk(content="x") | counted(5, 2),
        chunk("stop") | {"usage": None},
    )
    assert await heard(upstream) == [X, X, STOP, Usage(5, 2)]

    upstream.say(chunk(content="x") | counted(5, 1), chunk("stop") | counted(5, 2), usage(5, 3))
    seen = await heard(upstream)
    assert [delta for delta in seen if isinstance(delta, Usage)][-1] == Usage(5, 3)


async def test_nowhere(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="x"), chunk("stop"))

    assert await heard(upstream) == [X, STOP]


@pytest.mark.parametrize(
    "more",
    [
        {
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
        {"prompt_cache_hit_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 1}},
    ],
)
async def test_with_what_was_cached_and_thought(
    upstream: RawUpstream, more: dict[str, Any]
) -> None:
    upstream.say(chunk("stop", content="x"), {"choices": [], **counted(5, 2, **more)})

    assert await heard(upstream) == [X, STOP, Usage(5, 2, cached_tokens=4, reasoning_tokens=1)]


@pytest.mark.parametrize(
    "more",
    [
        {"prompt_tokens_details": None, "completion_tokens_details": []},
        {"prompt_tokens_details": {"cached_tokens": "4"}},
        {"completion_tokens_details": {"reasoning_tokens": -1}},
    ],
)
async def test_details_that_are_no_counts_are_none(
    upstream: RawUpstream, more: dict[str, Any]
) -> None:
    upstream.say(chunk("stop", content="x"), {"choices": [], **counted(5, 2, **more)})

    assert await heard(upstream) == [X, STOP, Usage(5, 2)]


@pytest.mark.parametrize(
    "given",
    [
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": "2"},
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2**60},
        "free",
    ],
)
async def test_what_is_no_count_is_no_usage(upstream: RawUpstream, given: Any) -> None:
    upstream.say(chunk("stop", content="x") | {"usage": given})

    assert await heard(upstream) == [X, STOP]


async def test_of_an_answer_that_breaks_off_too(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url)
    upstream.say(chunk(content="x") | counted(5, 1))
    upstream.pieces[-1] = b"data: {broken\n\n"
    async with client:
        seen, _ = await failure(provider)

    assert seen == [X, Usage(5, 1)]

    upstream.pieces.pop()
    assert await heard(upstream) == [X, Usage(5, 1)]
