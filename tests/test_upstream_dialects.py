"""How the scripted chat completions speak for each server, read by the official client."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.upstream import Upstream, model_server
from tests.upstream_reading import official_client
from tests.upstream_scripts import Answer, Ending
from tests.upstream_wire import (
    DEEPSEEK,
    DIALECTS,
    GEMINI,
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    LM_STUDIO,
    MISTRAL,
    OLD_OLLAMA,
    OLLAMA,
    OPENROUTER,
    VLLM,
    VLLM_COUNTING,
    Call,
    Dialect,
)

CALLS = [Call("f", '{"a": 1}'), Call("f", '{"a": 22222}')]
NAMED: Any = {"type": "function", "function": {"name": "f"}}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with model_server() as served:
        yield served


@pytest.fixture
def client(upstream: Upstream) -> Iterator[openai.OpenAI]:
    with official_client(upstream) as opened:
        yield opened


def stream(client: openai.OpenAI, **body: Any) -> list[Any]:
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}
    asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return list(client.chat.completions.create(**asked))


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def raw_stream(upstream: Upstream) -> bytes:
    body = {"model": "m", "messages": [], "stream": True}
    return httpx2.post(f"{upstream.base_url}/chat/completions", json=body).content


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_the_official_client_reads_every_dialect(
    client: openai.OpenAI, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.queue(Answer(["Hello, ", "世界", "!"], thoughts=["Hm. "], dialect=dialect))

    chunks = stream(client)

    opened, closed = dialect.tags or ("", "")
    thoughts = f"{opened}Hm. {closed}" if dialect.tags else ""
    assert text_of(chunks) == f"{thoughts}Hello, 世界!"
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert list(filter(None, reasons)) == ["stop"]
    used = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
    assert used[-1:] == ([] if dialect is LLAMA_CPP_PYTHON else [4])
    assert len(used) == 1 or dialect in (LLAMA_CPP_PYTHON, VLLM_COUNTING)


def test_thinking_comes_in_the_field_of_the_dialect(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(*(Answer(["4"], thoughts=["2+2"], dialect=d) for d in (OLLAMA, LLAMA_CPP)))

    ollama, llama_cpp = (
        [chunk.choices[0].delta.model_extra for chunk in stream(client) if chunk.choices]
        for _ in range(2)
    )

    assert {"reasoning": "2+2"} in ollama
    assert {"reasoning_content": "2+2"} in llama_cpp


def test_usage_comes_only_when_asked_for_except_where_it_always_comes(upstream: Upstream) -> None:
    upstream.queue(Answer(["a"]), Answer(["a"], dialect=OPENROUTER))

    assert b"usage" not in raw_stream(upstream)
    always = raw_stream(upstream)
    assert b"usage" in always and always.startswith(b": OPENROUTER PROCESSING\n\n")


def pieces_of(chunks: list[Any]) -> list[Any]:
    said = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    return [piece for delta in said for piece in delta.tool_calls or ()]


def reasons_of(chunks: list[Any]) -> list[str]:
    return [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]


@pytest.mark.parametrize(
    ("dialect", "numbers"),
    [(MISTRAL, [0, 1]), (OLLAMA, [0, 0]), (GEMINI, [None, None]), (OLD_OLLAMA, [None, None])],
)
def test_whole_calls_are_numbered_as_their_servers_do(
    client: openai.OpenAI, upstream: Upstream, dialect: Dialect, numbers: list[int | None]
) -> None:
    upstream.queue(Answer(calls=CALLS, dialect=dialect))

    assert [getattr(piece, "index", None) for piece in pieces_of(stream(client))] == numbers


def test_calls_have_the_ids_and_extras_of_their_servers(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    dialects = (MISTRAL, LLAMA_CPP_PYTHON, OLD_OLLAMA, GEMINI)
    upstream.queue(*(Answer(calls=CALLS[:1], dialect=dialect) for dialect in dialects))
    short, long, none, signed = (pieces_of(stream(client))[0] for _ in dialects)

    assert len(short.id) == 9 and short.id.isalnum()
    assert len(long.id) > 40
    assert getattr(none, "id", None) is None
    assert none.function.arguments == {"a": 1}
    assert signed.model_extra["extra_content"]["google"]["thought_signature"]


def test_calls_end_with_the_reasons_of_their_servers(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(*(Answer(calls=CALLS, dialect=d) for d in (LLAMA_CPP, GEMINI, VLLM, VLLM)))

    assert reasons_of(stream(client)) == ["tool_calls"]
    assert reasons_of(stream(client)) == ["stop"]
    assert reasons_of(stream(client)) == ["tool_calls"]
    assert reasons_of(stream(client, tool_choice=NAMED)) == ["stop"]


def test_counts_may_come_with_the_reason(client: openai.OpenAI, upstream: Upstream) -> None:
    upstream.queue(Answer(["a"], cached=3, reasoned=1, dialect=DEEPSEEK))
    last = stream(client)[-1]

    assert last.choices[0].finish_reason == "stop"
    assert last.usage.prompt_tokens_details.cached_tokens == 3
    assert last.usage.completion_tokens_details.reasoning_tokens == 1


def test_openrouter_says_its_thoughts_twice(client: openai.OpenAI, upstream: Upstream) -> None:
    upstream.queue(Answer(["4"], thoughts=["2+2"], dialect=OPENROUTER))
    extra = [c.choices[0].delta.model_extra for c in stream(client) if c.choices]

    (thought,) = [each for each in extra if "reasoning" in each]
    assert thought["reasoning_details"][0]["text"] == thought["reasoning"] == "2+2"


def test_a_refusal_is_no_text(client: openai.OpenAI, upstream: Upstream) -> None:
    upstream.queue(Answer(refusal=["No, ", "never."]))
    said = [c.choices[0].delta.refusal or "" for c in stream(client) if c.choices]

    assert "".join(said) == "No, never."


def test_errors_come_flat_or_with_a_name_or_with_a_reason(
    client: openai.OpenAI, upstream: Upstream
) -> None:
    upstream.queue(
        Answer(["a"], ending=Ending.FLAT_ERROR),
        Answer(["a"], ending=Ending.ERROR, dialect=LM_STUDIO),
        Answer(["a"], ending=Ending.FAILED),
    )
    flat, named = raw_stream(upstream), raw_stream(upstream)

    assert b'data: {"object": "error", "code": 502' in flat
    assert b"event: error\n" in named
    with pytest.raises(openai.APIError, match="Provider returned error"):
        stream(client)


def test_one_body_has_all_that_a_stream_has(client: openai.OpenAI, upstream: Upstream) -> None:
    upstream.queue(
        Answer(["a"], thoughts=["2+2"], calls=CALLS, dialect=LLAMA_CPP),
        Answer(["a"], ending=Ending.FAILED),
    )
    messages: Any = [{"role": "user", "content": "Hi"}]
    choice: Any = client.chat.completions.create(model="m", messages=messages).choices[0]

    assert choice.message.content == "a"
    assert choice.message.model_extra == {"reasoning_content": "2+2"}
    assert [call.function.arguments for call in choice.message.tool_calls] == [
        call.arguments for call in CALLS
    ]
    body = httpx2.post(f"{upstream.base_url}/chat/completions", json={"model": "m", "messages": []})
    assert json.loads(body.content)["error"]["code"] == 502
