"""Whole answers in the shapes in which each kind of server gives them."""

from typing import Any

from streamlit_assistant.errors import RunErrorCode, Trouble
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Finish,
    FinishReason,
    ReasoningDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.chat.dialects import (
    AZURE,
    DEEPSEEK,
    GEMINI,
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    LM_STUDIO,
    MISTRAL,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    VLLM,
)
from tests.providers.chat_talk import CALLS, STOP, WEATHER, failure, heard, provider_at
from tests.providers.conftest import RawUpstream, calling, chunk, usage

OSLO = '{"city":"Oslo"}'


def signed(piece: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A chunk with what a server adds to each of its own."""
    return piece | fields


async def test_openai(upstream: RawUpstream) -> None:
    mark: dict[str, Any] = {"service_tier": "default", "system_fingerprint": "fp_6a1b"}
    counts = {
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
    }
    upstream.say(
        signed(chunk(role="assistant", content="", refusal=None), usage=None, **mark),
        signed(chunk(content="Hi"), usage=None, obfuscation="abc", **mark),
        signed(chunk("stop"), usage=None, **mark),
        signed({"choices": [], "usage": counts}, **mark),
    )

    assert await heard(upstream, OPENAI) == [TextDelta("Hi"), STOP, Usage(9, 3, 8, 1)]


async def test_azure_filters_before_it_answers(upstream: RawUpstream) -> None:
    results = [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}]
    filtered = chunk(content="Hi")
    filtered["choices"][0]["content_filter_results"] = {"hate": {"filtered": False}}
    upstream.say(
        {"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": results},
        chunk(role="assistant", content=""),
        filtered,
        chunk("content_filter"),
    )

    assert await heard(upstream, AZURE) == [
        TextDelta("Hi"),
        Finish(FinishReason.CONTENT_FILTER),
    ]


async def test_azure_refuses_a_prompt(upstream: RawUpstream) -> None:
    upstream.status, upstream.content_type = 400, "application/json"
    upstream.pieces = [
        b'{"error":{"message":"The prompt was filtered","type":null,"param":"prompt",'
        b'"code":"content_filter","status":400,"innererror":{"code":"x"}}}'
    ]
    client, provider = provider_at(upstream.url, dialect=AZURE)
    async with client:
        _, error = await failure(provider)

    assert (error.code, error.trouble) == (RunErrorCode.INVALID_PROMPT, Trouble.REQUEST)


async def test_ollama_thinks_and_calls(upstream: RawUpstream) -> None:
    mark = {"id": "chatcmpl-998", "system_fingerprint": "fp_ollama"}
    upstream.say(
        signed(chunk(role="assistant", content="", reasoning="Both."), **mark),
        signed(
            calling(index=0, id="call_1", type="function", name="get_weather", arguments=OSLO),
            **mark,
        ),
        signed(
            calling(index=0, id="call_2", type="function", name="get_weather", arguments=OSLO),
            **mark,
        ),
        signed(chunk("tool_calls", role="assistant", content=""), **mark),
        signed(usage(5, 2), **mark),
    )

    assert await heard(upstream, OLLAMA, functions=[WEATHER]) == [
        ReasoningDelta("Both."),
        CallStart(0, "call_1", "get_weather"),
        CallArguments(0, OSLO),
        CallStart(1, "call_2", "get_weather"),
        CallArguments(1, OSLO),
        Remember({"message": {"reasoning": "Both."}, "calls": [{}, {}]}, "here"),
        CALLS,
        Usage(5, 2),
    ]


async def test_ollama_fails_without_a_word(upstream: RawUpstream) -> None:
    upstream.say(chunk(content="half"), chunk(role="assistant", content=""))
    upstream.pieces.pop()  # no reason, and no `[DONE]`

    assert await heard(upstream, OLLAMA) == [TextDelta("half")]


async def test_llama_cpp_adds_what_it_measured(upstream: RawUpstream) -> None:
    timings = {"prompt_n": 5, "predicted_n": 2, "predicted_per_second": 60.1}
    mark = {"system_fingerprint": "b11434-0f1a2b3c"}
    upstream.say(
        signed(chunk(role="assistant", content=None), **mark),
        signed(chunk(reasoning_content="hm"), **mark),
        signed(chunk(content="yes"), **mark, __verbose={"prompt": "..."}),
        signed(chunk("stop"), **mark, timings=timings),
        signed(usage(5, 2), timings=timings),
    )

    assert await heard(upstream, LLAMA_CPP) == [
        ReasoningDelta("hm"),
        TextDelta("yes"),
        STOP,
        Usage(5, 2),
    ]


async def test_llama_cpp_says_that_the_context_is_full(upstream: RawUpstream) -> None:
    upstream.status, upstream.content_type = 400, "application/json"
    upstream.pieces = [
        b'{"error":{"code":400,"message":"the request exceeds the available context size",'
        b'"type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}'
    ]
    client, provider = provider_at(upstream.url, dialect=LLAMA_CPP)
    async with client:
        _, error = await failure(provider)

    assert (error.code, error.trouble) == (RunErrorCode.INVALID_PROMPT, Trouble.REQUEST)
    assert "exceeds the available context size" in error.message


async def test_llama_cpp_python_has_long_ids_and_counts_nothing(upstream: RawUpstream) -> None:
    long = "call__0_get_weather_cmpl-6f1f3bd7-0f6c-4e1a-9a57-1d7a9c7d2a11"
    upstream.say(
        chunk(role="assistant"),
        calling(index=0, id=long, type="function", name="get_weather", arguments=""),
        *(calling(index=0, id=long, name="get_weather", arguments=letter) for letter in OSLO),
        chunk("tool_calls"),
    )

    start, *arguments, finish = await heard(upstream, LLAMA_CPP_PYTHON)

    assert start == CallStart(0, long, "get_weather")
    assert "".join(d.text for d in arguments if isinstance(d, CallArguments)) == OSLO
    assert finish == CALLS


async def test_vllm_counts_all_the_time_and_stops_at_a_forced_call(upstream: RawUpstream) -> None:
    def counting(piece: dict[str, Any], completion: int) -> dict[str, Any]:
        return piece | {"usage": usage(5, completion)["usage"]}

    call = {"index": 0, "id": "chatcmpl-tool-1f2e", "type": "function"}
    upstream.say(
        counting(chunk(role="assistant", content=""), 0),
        counting(chunk(reasoning="hm"), 1),
        counting(calling(**call, name="get_weather", arguments='{"city":'), 2),
        counting(calling(index=0, arguments='"Oslo"}'), 3),
        counting(chunk("stop", content=""), 3),
        usage(5, 4),
    )
    named = "function:get_weather"

    seen = await heard(upstream, VLLM, functions=[WEATHER], tool_choice=named)

    assert [delta for delta in seen if not isinstance(delta, Remember)] == [
        ReasoningDelta("hm"),
        CallStart(0, "chatcmpl-tool-1f2e", "get_weather"),
        CallArguments(0, '{"city":'),
        CallArguments(0, '"Oslo"}'),
        CALLS,
        Usage(5, 3),
        Usage(5, 4),
    ]


async def test_lm_studio_runs_out_of_context_without_a_reason(upstream: RawUpstream) -> None:
    upstream.say(chunk(role="assistant", content="half"), chunk(content=" an"), chunk())

    assert await heard(upstream, LM_STUDIO) == [TextDelta("half"), TextDelta(" an")]


async def test_openrouter_comments_and_says_its_thoughts_twice(upstream: RawUpstream) -> None:
    detail = {"type": "reasoning.text", "text": "hm", "format": "x", "index": 0}
    mark = {"provider": "Somebody"}
    upstream.say(
        signed(chunk(role="assistant", content="", reasoning="hm", reasoning_details=[detail])),
        signed(chunk(role="assistant", content="yes", reasoning=None), **mark),
        signed(chunk("stop", role="assistant", content=""), **mark),
        signed(chunk(content=""), usage=usage(5, 2)["usage"] | {"cost": 0.01}),
    )
    upstream.pieces[:0] = [b": OPENROUTER PROCESSING\n\n"] * 3

    assert await heard(upstream, OPENROUTER) == [
        ReasoningDelta("hm"),
        TextDelta("yes"),
        STOP,
        Usage(5, 2),
    ]


async def test_openrouter_reports_a_failure_behind_it_in_mid_stream(upstream: RawUpstream) -> None:
    error = {"code": 502, "message": "Provider returned error", "metadata": {"raw": "gone"}}
    upstream.say(chunk(content="half"), chunk("error", content="") | {"error": error})
    client, provider = provider_at(upstream.url, dialect=OPENROUTER)
    async with client:
        seen, failed = await failure(provider)

    assert seen == [TextDelta("half")]
    assert "Provider returned error" in failed.message
    assert failed.trouble is Trouble.PASSING


async def test_deepseek_keeps_alive_and_tells_what_was_cached(upstream: RawUpstream) -> None:
    counts = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}
    upstream.say(
        chunk(role="assistant", content=None, reasoning_content=""),
        chunk(content=None, reasoning_content="hm"),
        chunk(content="yes", reasoning_content=None),
        chunk("stop", content="", reasoning_content=None) | {"usage": counts},
    )
    upstream.pieces[:0] = [b": keep-alive\n\n", b"\n"]

    assert await heard(upstream, DEEPSEEK) == [
        ReasoningDelta("hm"),
        TextDelta("yes"),
        STOP,
        Usage(5, 2, cached_tokens=4),
    ]


async def test_gemini_numbers_nothing_and_stops_at_calls(upstream: RawUpstream) -> None:
    extra = {"google": {"thought_signature": "c2ln"}}
    made = {"type": "function", "name": "get_weather", "arguments": OSLO}
    upstream.say(
        calling(**made, id="function-call-1", extra_content=extra),
        calling("stop", **made, id="function-call-2"),
    )

    assert await heard(upstream, GEMINI) == [
        CallStart(0, "function-call-1", "get_weather"),
        CallArguments(0, OSLO),
        CallStart(1, "function-call-2", "get_weather"),
        CallArguments(1, OSLO),
        Remember({"message": {}, "calls": [{"extra_content": extra}, {}]}, "here"),
        CALLS,
    ]


async def test_mistral_counts_with_its_reason(upstream: RawUpstream) -> None:
    last = calling("tool_calls", index=0, id="D681PevKs", name="get_weather", arguments=OSLO)
    upstream.say(chunk(role="assistant", content=""), last | {"usage": usage(5, 2)["usage"]})

    assert await heard(upstream, MISTRAL) == [
        CallStart(0, "D681PevKs", "get_weather"),
        CallArguments(0, OSLO),
        CALLS,
        Usage(5, 2),
    ]


async def test_a_server_that_repeats_all_it_said_with_each_piece(upstream: RawUpstream) -> None:
    def both(piece: str, so_far: str, finish: str | None = None) -> dict[str, Any]:
        said = chunk(finish, content=piece)
        said["choices"][0]["message"] = {"role": "assistant", "content": so_far}
        return said

    upstream.say(both("ye", "ye"), both("s", "yes"), both("", "yes", "stop"))

    assert await heard(upstream) == [TextDelta("ye"), TextDelta("s"), STOP]
