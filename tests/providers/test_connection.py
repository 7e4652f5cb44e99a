"""How each model server is spoken to."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from streamlit_assistant.model_setting_values import FallbackModel
from streamlit_assistant.providers.base import Provider
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.connection import Connection
from streamlit_assistant.providers.model_settings import options_of, upstream_of
from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.responses.api import ResponsesProvider
from streamlit_assistant.providers.upstream import (
    OPENAI_BASE_URL,
    Api,
    Manner,
    ProviderOptions,
    StandIn,
    Upstream,
)
from streamlit_assistant.records import JSON
from streamlit_assistant.settings import Settings
from tests.providers.steady import REQUEST, FakeTime, FixedPacer, drained, notices, text
from tests.upstream import Upstream as Server
from tests.upstream import model_server
from tests.upstream_scripts import Silence, spoken, wrong_key

AZURE = "https://mine.openai.azure.com/openai/v1"
OLLAMA = "http://127.0.0.1:11434/v1"
KEY = "sk-secret-0123456789"


@pytest.fixture
def server() -> Iterator[Server]:
    with model_server() as running:
        yield running


@pytest.mark.parametrize(
    ("url", "api", "adapter", "hosts"),
    [
        (OPENAI_BASE_URL, None, ResponsesProvider, True),
        ("https://eu.api.openai.com/v1", None, ResponsesProvider, True),
        (AZURE, None, ResponsesProvider, True),
        (OLLAMA, None, ChatCompletionsProvider, False),
        ("https://api.openai.com.example.org/v1", None, ChatCompletionsProvider, False),
        (OPENAI_BASE_URL, "chat", ChatCompletionsProvider, False),
        (OLLAMA, "responses", ResponsesProvider, False),
    ],
)
async def test_the_protocol_is_the_one_that_suits_the_server_or_the_owners_choice(
    url: str, api: Api | None, adapter: type[Provider], hosts: bool
) -> None:
    connection = Connection(Upstream(url, "k"), Manner(api))
    await connection.close()

    assert isinstance(connection.provider, adapter)
    assert connection.hosts_tools is hosts
    assert (connection.code_host is not None) is hosts


async def test_a_run_is_told_what_its_server_can_do() -> None:
    at_openai = ProviderRegistry(Upstream(OPENAI_BASE_URL, "k", "gpt-6-luna"))
    choice = await at_openai.choose("default")
    await at_openai.close()

    assert (choice.hosts_tools, choice.reads_files) == (True, True)
    assert choice.code_host is not None
    assert choice.code_host.server == OPENAI_BASE_URL


@pytest.mark.parametrize(
    ("api", "path"), [("chat", "chat/completions"), ("responses", "responses")]
)
async def test_both_protocols_are_spoken(server: Server, api: Api, path: str) -> None:
    server.queue(spoken("There."))
    source = ProviderRegistry(
        Upstream(server.base_url), options=ProviderOptions(Manner(api, background=False))
    )
    choice = await source.choose("default")
    seen, error = await drained(choice.provider.stream(REQUEST))
    await source.close()

    assert (text(seen), error) == ("There.", None)
    assert server.requests[0].path.endswith(path)


async def test_azure_is_sent_the_key_both_ways_and_others_are_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    sent = []
    for url in ("http://mine.openai.azure.com/v1", "http://example.org/v1"):
        connection = Connection(Upstream(url, "key-of-azure"), Manner("chat"))
        await drained(connection.provider.stream(REQUEST))
        await connection.close()
        sent.append(server.requests[-1].headers)

    assert [headers.get("authorization") for headers in sent] == ["Bearer key-of-azure"] * 2
    assert [headers.get("api-key") for headers in sent] == ["key-of-azure", None]


async def test_the_owners_patience_is_kept(server: Server) -> None:
    server.queue(Silence())
    connection = Connection(Upstream(server.base_url), Manner(first_token_seconds=0.2))
    _, error = await drained(connection.provider.stream(REQUEST))
    await connection.close()

    assert error is not None
    assert "did not answer in time" in error.message


async def test_what_the_list_tells_of_the_server_is_how_it_is_spoken_to() -> None:
    facts = {"m": {"owned_by": "llamacpp"}}
    with model_server(models=("m",), facts=facts) as server:
        connection = Connection(Upstream(server.base_url))
        await connection.models()
        await connection.close()

    assert isinstance(connection.provider, ChatCompletionsProvider)
    assert connection.provider.dialect.name == "llama.cpp"


async def test_the_pace_of_all_processes_is_kept(server: Server) -> None:
    server.queue(spoken("There."))
    time, pacer = FakeTime(), FixedPacer([30.0])
    source = ProviderRegistry(Upstream(server.base_url), steadiness=time.steadiness())
    source.share(pacer, None)
    choice = await source.choose("default")
    seen, _ = await drained(choice.provider.stream(REQUEST))
    await source.close()

    assert time.slept == [30.0]
    assert pacer.reserved[0][0] == server.base_url
    assert [told.details["seconds"] for told in notices(seen)] == ["30"]


@dataclass
class RememberedAnswers:
    """Keeps answers in memory."""

    kept: dict[str, Sequence[JSON]] = field(default_factory=dict)

    async def get(self, key: str) -> Sequence[JSON] | None:
        return self.kept.get(key)

    async def put(self, key: str, deltas: Sequence[JSON], seconds: int) -> None:
        self.kept[key] = list(deltas)


@pytest.mark.parametrize(("seconds", "requests"), [(60, 1), (0, 2)])
async def test_the_same_question_is_answered_from_memory_if_the_owner_wants_it(
    server: Server, seconds: int, requests: int
) -> None:
    source = ProviderRegistry(
        Upstream(server.base_url),
        options=ProviderOptions(cache_seconds=seconds),
        answer_cache=RememberedAnswers(),
    )
    for _ in range(2):
        choice = await source.choose("default")
        _, error = await drained(choice.provider.stream(REQUEST))
        assert error is None
    await source.close()

    assert len(server.requests) == requests


async def test_the_settings_become_what_the_registry_takes() -> None:
    environ = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_API": "chat",
        "BACKGROUND_RESPONSES": "off",
        "FALLBACK_MODELS": "gpt-6-luna, llama3.2@http://:other-key@10.0.0.5:11434/v1",
        "MODEL_ALIASES": "gpt-4=gpt-6.1-sol",
        "ANSWER_CACHE_SECONDS": "60",
        "FIRST_TOKEN_SECONDS": "30",
    }
    settings = Settings.load({}, environ, {})

    assert upstream_of(settings) == Upstream(OPENAI_BASE_URL, KEY, "gpt-6-luna")
    assert options_of(settings) == ProviderOptions(
        Manner("chat", False, 30, 120),
        (
            StandIn("gpt-6-luna"),
            StandIn("llama3.2", Upstream("http://10.0.0.5:11434/v1", "other-key", "llama3.2")),
        ),
        {"gpt-4": "gpt-6.1-sol"},
        60,
    )
    assert "other-key" not in repr(options_of(settings))
    assert "other-key" not in repr(FallbackModel("m", "http://h/v1", "other-key"))


async def test_the_key_of_a_stand_in_is_neither_told_nor_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.queue(wrong_key(KEY))
    there = Upstream(server.base_url, KEY, "m", "FALLBACK_MODELS")
    source = ProviderRegistry(
        None, local_base_url=None, options=ProviderOptions(stand_ins=[StandIn("m", there)])
    )
    with caplog.at_level(logging.DEBUG):
        choice = await source.choose("default")
        _, error = await drained(choice.provider.stream(REQUEST))
    await source.close()

    assert error is not None
    assert "refused the key in FALLBACK_MODELS" in error.message
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in error.message + caplog.text + repr(source) + repr(choice)
