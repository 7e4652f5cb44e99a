"""What the Chat Completions adapter sends, as each kind of server understands it."""

import json
from typing import Any

import pytest

from streamlit_assistant.providers.base import CallsMessage, FunctionCall, PromptMessage, Turn
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
    STRICT,
    UNKNOWN,
    VLLM,
    Dialect,
)
from tests.providers.chat_talk import request, sent, text
from tests.providers.conftest import RawUpstream

EVERY = (
    *(OPENAI, AZURE, OLLAMA, LLAMA_CPP, LLAMA_CPP_PYTHON, VLLM, LM_STUDIO),
    *(OPENROUTER, DEEPSEEK, MISTRAL, GEMINI, STRICT, UNKNOWN),
)
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}}
REMOTE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
PAPER = {"type": "file", "file": {"filename": "paper.pdf", "url": "data:application/pdf;base64,AA"}}
SCHEMA = {"type": "object", "properties": {"名": {"type": "string"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA}}


async def test_the_conversation_is_sent_in_the_form_every_server_knows(
    upstream: RawUpstream,
) -> None:
    asked = request(
        PromptMessage("user", [text("one"), text("two")]),
        PromptMessage("assistant", [{"type": "refusal", "refusal": "no"}]),
        PromptMessage("user", [text("look"), PIXEL]),
        max_completion_tokens=300,
        temperature=0.0,
        response_format={"type": "json_object"},
    )

    body = await sent(upstream, asked)

    assert body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "one\n\ntwo"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, PIXEL]},
    ]
    assert (body["max_tokens"], body["temperature"]) == (300, 0.0)
    assert body["response_format"] == {"type": "json_object"}
    assert body["stream_options"] == {"include_usage": True}
    assert not {"max_completion_tokens", "top_p", "reasoning_effort"} & set(body)


@pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)
async def test_no_server_is_sent_what_only_openai_knows_or_nothing_needs(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    trace = {"thread_id": "thread_1"}
    hosted = [{"type": "web_search"}]
    body = await sent(
        upstream, dialect=dialect, trace=trace, hosted_tools=hosted, response_format="auto"
    )

    assert set(body) <= {"model", "messages", "stream", "stream_options"}
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


async def test_no_instructions_are_no_message(upstream: RawUpstream) -> None:
    body = await sent(upstream, instructions="")

    assert [message["role"] for message in body["messages"]] == ["user"]


@pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)
async def test_content_is_never_null(upstream: RawUpstream, dialect: Dialect) -> None:
    turns: list[Turn] = [
        PromptMessage("user", []),
        CallsMessage([FunctionCall("c1", "f", "{}")]),
        PromptMessage("assistant", []),
    ]
    body = await sent(upstream, request(*turns), dialect)

    assert [message["content"] for message in body["messages"][1:]] == ["", "", ""]


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        (OPENAI, "max_completion_tokens"),
        (AZURE, "max_completion_tokens"),
        (OLLAMA, "max_tokens"),
        (LLAMA_CPP, "max_tokens"),
        (LLAMA_CPP_PYTHON, "max_tokens"),
        (MISTRAL, "max_tokens"),
        (UNKNOWN, "max_tokens"),
    ],
)
async def test_the_limit_of_tokens_has_the_name_that_is_known_there(
    upstream: RawUpstream, dialect: Dialect, name: str
) -> None:
    other = ({"max_tokens", "max_completion_tokens"} - {name}).pop()

    def limits(body: dict[str, Any]) -> dict[str, Any]:
        return {key: body[key] for key in (name, other) if key in body}

    asked: Any = {"dialect": dialect, "max_completion_tokens": 300}
    once, both = frozenset({name}), frozenset({name, other})

    assert limits(await sent(upstream, **asked)) == {name: 300}
    assert limits(await sent(upstream, refused=once, **asked)) == {other: 300}
    assert limits(await sent(upstream, refused=both, **asked)) == {}


async def test_mistral_is_not_asked_for_the_usage_that_it_gives_anyway(
    upstream: RawUpstream,
) -> None:
    assert "stream_options" not in await sent(upstream, dialect=MISTRAL)


@pytest.mark.parametrize(
    ("dialect", "effort", "fields"),
    [
        (UNKNOWN, "high", {"reasoning_effort": "high"}),
        (OPENAI, "none", {"reasoning_effort": "none"}),
        (LLAMA_CPP, "none", {"reasoning_effort": "none"}),
        (OPENROUTER, "low", {"reasoning": {"effort": "low"}}),
        (DEEPSEEK, "max", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        (DEEPSEEK, "none", {"thinking": {"type": "disabled"}}),
        (
            VLLM,
            "low",
            {
                "chat_template_kwargs": {"enable_thinking": True, "thinking": True},
                "reasoning_effort": "low",
            },
        ),
        (VLLM, "none", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
    ],
)
async def test_how_long_to_think_is_said_in_the_servers_way(
    upstream: RawUpstream, dialect: Dialect, effort: str, fields: dict[str, Any]
) -> None:
    body = await sent(upstream, dialect=dialect, reasoning_effort=effort)

    told = {"reasoning_effort", "reasoning", "thinking", "chat_template_kwargs"}
    assert {name: value for name, value in body.items() if name in told} == fields


async def test_a_schema_is_sent_in_the_shape_it_came_in(upstream: RawUpstream) -> None:
    body = await sent(upstream, response_format=FORM)

    assert body["response_format"] == FORM
    assert body["messages"][0]["content"] == "Be kind."


@pytest.mark.parametrize("dialect", [DEEPSEEK, LLAMA_CPP_PYTHON], ids=lambda d: d.name)
async def test_a_server_that_knows_no_schemas_is_told_them(
    upstream: RawUpstream, dialect: Dialect
) -> None:
    body = await sent(upstream, dialect=dialect, response_format=FORM)

    assert body["response_format"] == {"type": "json_object"}
    told = body["messages"][0]["content"]
    assert told.startswith("Be kind.\n\n")
    assert json.loads(told.partition("schema:\n")[2]) == SCHEMA


async def test_lm_studio_knows_schemas_only(upstream: RawUpstream) -> None:
    form = {"type": "json_object"}
    body = await sent(upstream, dialect=LM_STUDIO, response_format=form)

    schema = {"name": "object", "schema": {"type": "object"}}
    assert body["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert (await sent(upstream, response_format=form))["response_format"] == form


@pytest.mark.parametrize("form", ["auto", {"type": "text"}])
async def test_plain_text_is_what_everybody_answers_without_being_asked(
    upstream: RawUpstream, form: Any
) -> None:
    assert "response_format" not in await sent(upstream, response_format=form)


@pytest.mark.parametrize(
    ("refused", "gone"),
    [
        ("temperature", {"temperature"}),
        ("top_p", {"top_p"}),
        ("reasoning_effort", {"reasoning_effort"}),
        ("response_format", {"response_format"}),
        ("response_format.json_schema", {"response_format"}),
        ("body.stream_options.include_usage", {"stream_options"}),
        ("parallel_tool_calls", {"parallel_tool_calls"}),
        ("tools", {"tools", "tool_choice", "parallel_tool_calls"}),
        ("messages[1].content", set()),
    ],
)
async def test_what_a_model_refuses_is_left_out(
    upstream: RawUpstream, refused: str, gone: set[str]
) -> None:
    fields: Any = {
        "temperature": 1.0,
        "top_p": 0.5,
        "reasoning_effort": "low",
        "response_format": FORM,
        "functions": [{"name": "f"}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    before = await sent(upstream, **fields)
    after = await sent(upstream, **fields, refused=frozenset({refused}))

    assert set(before) - set(after) == gone
    assert after["messages"] == before["messages"]


async def test_only_the_strictness_of_a_function_is_left_out_where_that_is_refused(
    upstream: RawUpstream,
) -> None:
    functions = [{"name": "f", "strict": True}]
    refused = frozenset({"tools[0].function.strict"})

    [tool] = (await sent(upstream, functions=functions, refused=refused))["tools"]

    assert "strict" not in tool["function"]


@pytest.mark.parametrize(
    ("dialect", "reads"), [(OPENAI, True), (OPENROUTER, True), (OLLAMA, False), (UNKNOWN, False)]
)
async def test_a_document_is_sent_only_where_it_is_read(
    upstream: RawUpstream, dialect: Dialect, reads: bool
) -> None:
    asked = request(PromptMessage("user", [PAPER, text("Sum it up.")]))
    content = (await sent(upstream, asked, dialect))["messages"][-1]["content"]

    if reads:
        file = {"filename": "paper.pdf", "file_data": "data:application/pdf;base64,AA"}
        assert content[0] == {"type": "file", "file": file}
    else:
        assert content == "[Attached file: paper.pdf. This model cannot read it.]\n\nSum it up."


async def test_ollama_is_sent_pictures_but_no_addresses_of_pictures(upstream: RawUpstream) -> None:
    asked = request(PromptMessage("user", [text("look"), PIXEL, REMOTE]))

    plain = (await sent(upstream, asked))["messages"][-1]["content"]
    first, second, third = (await sent(upstream, asked, OLLAMA))["messages"][-1]["content"]

    assert plain[2] == REMOTE
    assert (first["text"], second) == ("look", PIXEL)
    assert "https://example.org/cat.png" in third["text"]


async def test_only_people_show_pictures(upstream: RawUpstream) -> None:
    asked = request(PromptMessage("assistant", [PIXEL, text("Here it is.")]))

    assert (await sent(upstream, asked))["messages"][-1]["content"] == "[An image]\n\nHere it is."


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        *[(each, ["one\n\ntwo", "three"]) for each in (LLAMA_CPP, LLAMA_CPP_PYTHON)],
        *[(each, ["one\n\ntwo", "three"]) for each in (VLLM, LM_STUDIO)],
        *[(each, ["one", "two", "three"]) for each in (OPENAI, OLLAMA, OPENROUTER, UNKNOWN)],
    ],
)
async def test_a_template_that_wants_the_sides_to_take_turns_gets_them_so(
    upstream: RawUpstream, dialect: Dialect, asked: list[str]
) -> None:
    turns = [
        PromptMessage("user", [text("one")]),
        PromptMessage("user", [text("two")]),
        PromptMessage("assistant", [text("yes")]),
        PromptMessage("user", [text("three")]),
    ]
    body = await sent(upstream, request(*turns), dialect=dialect)

    said = [each["content"] for each in body["messages"] if each["role"] == "user"]
    assert said == asked
