"""Which server is told from its address, its list of models and its answers."""

import dataclasses
import re

import pytest

from streamlit_assistant.providers.chat import dialects
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
    dialect_heard,
    dialect_of,
)
from tests.providers.chat_talk import WEATHER, deltas, provider_at, request
from tests.providers.conftest import RawUpstream, chunk

EVERY = [value for value in vars(dialects).values() if isinstance(value, Dialect)]


@pytest.mark.parametrize(
    ("base_url", "dialect"),
    [
        ("https://api.openai.com/v1", OPENAI),
        ("https://eu.api.openai.com/v1", OPENAI),
        ("https://mine.openai.azure.com/openai/v1/", AZURE),
        ("https://mine.services.ai.azure.com/openai/v1", AZURE),
        ("https://openrouter.ai/api/v1", OPENROUTER),
        ("https://api.deepseek.com", DEEPSEEK),
        ("https://api.mistral.ai/v1", MISTRAL),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", GEMINI),
        ("https://api.groq.com/openai/v1", STRICT),
        ("http://127.0.0.1:11434/v1", OLLAMA),
        ("http://gpu.lan:11434/v1", OLLAMA),
        ("http://localhost:1234/v1", LM_STUDIO),
        ("http://localhost:8080/v1", UNKNOWN),
        ("https://openai.com.example.org/v1", UNKNOWN),
        ("https://notopenai.com/v1", UNKNOWN),
        ("http://localhost:99999/v1", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_the_address_tells(base_url: str, dialect: Dialect) -> None:
    assert dialect_of(base_url) is dialect


@pytest.mark.parametrize(
    ("owner", "dialect"),
    [
        ("llamacpp", LLAMA_CPP),
        ("me", LLAMA_CPP_PYTHON),
        ("vllm", VLLM),
        ("organization_owner", LM_STUDIO),
        ("openai", UNKNOWN),
        ("library", UNKNOWN),
    ],
)
def test_the_list_of_models_tells(owner: str, dialect: Dialect) -> None:
    assert dialect_of("http://localhost:8000/v1", [owner]) is dialect


def test_what_the_server_says_counts_for_more_than_its_port_but_not_than_its_name() -> None:
    assert dialect_of("http://localhost:11434/v1", ["vllm"]) is VLLM
    assert dialect_of("https://api.openai.com/v1", ["vllm"]) is OPENAI


@pytest.mark.parametrize(
    ("fingerprint", "dialect"),
    [
        ("fp_ollama", OLLAMA),
        ("b11434-0f1a2b3c", LLAMA_CPP),
        ("fp_44709d6fcb", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_a_signature_tells(fingerprint: object, dialect: Dialect | None) -> None:
    assert dialect_heard(fingerprint) is dialect


async def test_a_server_is_known_from_its_first_answer(upstream: RawUpstream) -> None:
    client, provider = provider_at(upstream.url)
    upstream.say(chunk(content="x") | {"system_fingerprint": "fp_ollama"}, chunk("stop"))
    async with client:
        for _ in range(2):
            await deltas(provider, request(functions=[WEATHER], tool_choice="required"))

    assert provider.dialect is OLLAMA
    assert ["tool_choice" in body for body in upstream.requests] == [True, False]


async def test_a_server_whose_address_tells_is_not_taken_for_another(
    upstream: RawUpstream,
) -> None:
    client, provider = provider_at(upstream.url, dialect=OPENROUTER)
    upstream.say(chunk(content="x") | {"system_fingerprint": "fp_ollama"}, chunk("stop"))
    async with client:
        await deltas(provider)

    assert provider.dialect is OPENROUTER


@pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)
def test_each_record_makes_sense(dialect: Dialect) -> None:
    assert dialect.sends_tool_choice or not dialect.keeps_tool_choice
    assert dialect.max_tokens in ("max_tokens", "max_completion_tokens")
    assert re.compile(dialect.call_ids).fullmatch("D681PevKs")
    assert 60 <= dialect.first_token_seconds <= 600
    assert dialect.echoes or not dialect.echo_always
    assert dataclasses.replace(dialect, name="x") != dialect
