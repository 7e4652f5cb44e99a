"""Who answers, and with which model."""

import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.offline import OfflineProvider
from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.upstream import Upstream, configured_upstream
from tests.providers.conftest import RawUpstream
from tests.providers.steady import FakeTime


@pytest.fixture
def nowhere() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@pytest.fixture
async def local(upstream: RawUpstream) -> AsyncIterator[ProviderRegistry]:
    """A registry without settings, on a machine where a model server may be found."""
    registry = ProviderRegistry(None, local_base_url=upstream.url)
    yield registry
    await registry.close()


def model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "library"}


@pytest.mark.parametrize(
    ("key", "url", "name", "expected"),
    [
        (None, None, "m", None),
        ("k", None, None, Upstream("https://api.openai.com/v1", "k", "gpt-6-luna")),
        ("k", None, "m", Upstream("https://api.openai.com/v1", "k", "m")),
        (None, "http://x/v1", None, Upstream("http://x/v1", None, None)),
        ("k", "http://x/v1", "m", Upstream("http://x/v1", "k", "m")),
    ],
)
def test_the_settings_name_the_model_server(
    key: str | None, url: str | None, name: str | None, expected: Upstream | None
) -> None:
    assert configured_upstream(key, url, name) == expected


def test_an_upstream_does_not_show_its_key() -> None:
    assert "hidden" not in repr(Upstream("http://x/v1", "hidden"))


async def test_with_nothing_at_all_the_offline_assistant_answers(nowhere: str) -> None:
    registry = ProviderRegistry(None, local_base_url=nowhere)

    choice = await registry.choose("gpt-4o")

    assert isinstance(choice.provider, OfflineProvider)
    assert choice.model == "offline"
    assert "no model connected" in await registry.summary()
    await registry.close()


async def test_a_model_server_on_this_machine_is_found_also_later(
    upstream: RawUpstream, local: ProviderRegistry
) -> None:
    before = await local.choose("default")
    upstream.models = [model("nomic-embed-text"), model("llama3.2")]

    after = await local.choose("default")

    assert isinstance(before.provider, OfflineProvider)
    assert not isinstance(after.provider, OfflineProvider)
    assert after.model == "llama3.2"
    assert upstream.url in await local.summary()


async def test_an_assistants_own_model_is_asked_for_by_its_name(
    upstream: RawUpstream, local: ProviderRegistry
) -> None:
    upstream.models = [model("llama3.2"), model("qwen3")]

    assert (await local.choose("qwen3")).model == "qwen3"


async def test_a_model_the_server_lacks_is_answered_for_by_the_default_one_and_said_once(
    upstream: RawUpstream, local: ProviderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.models = [model("llama3.2")]
    chosen = [(await local.choose("gpt-4o")).model for _ in range(2)]

    assert chosen == ["llama3.2", "llama3.2"]
    assert caplog.text.count("has no model 'gpt-4o'; 'llama3.2' answers instead") == 1


async def test_a_server_that_lists_nothing_is_asked_for_what_was_named(
    upstream: RawUpstream,
) -> None:
    registry = ProviderRegistry(Upstream(upstream.url))
    failing = (await registry.choose("gpt-4o")).model
    await registry.close()

    assert failing == "gpt-4o"
    assert not Upstream("https://x.openai.azure.com/openai/v1").lists_its_models


async def test_the_list_of_models_is_not_fetched_for_every_run(
    upstream: RawUpstream, local: ProviderRegistry
) -> None:
    upstream.models = [model("llama3.2")]

    for _ in range(5):
        await local.choose("default")

    assert upstream.model_lists == 1


async def test_a_server_without_models_says_what_to_do(upstream: RawUpstream) -> None:
    upstream.models = []
    registry = ProviderRegistry(Upstream(upstream.url))

    with pytest.raises(UpstreamError, match="lists no model"):
        await registry.choose("default")
    await registry.close()


async def test_a_configured_server_that_is_down_is_not_replaced_in_silence(nowhere: str) -> None:
    registry = ProviderRegistry(Upstream(nowhere), local_base_url=None)

    with pytest.raises(UpstreamError, match="cannot be reached"):
        await registry.choose("default")
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await registry.models()
    await registry.close()


async def test_new_settings_hold_for_new_runs(upstream: RawUpstream, nowhere: str) -> None:
    registry = ProviderRegistry(Upstream(nowhere, model="old"), local_base_url=None)
    before = await registry.choose("default")

    registry.configure(Upstream(upstream.url, model="new"))
    after = await registry.choose("default")
    registry.configure(None)
    offline = await registry.choose("default")

    assert (before.model, after.model, offline.model) == ("old", "new", "offline")
    await registry.close()


async def test_unchanged_settings_keep_the_connection(upstream: RawUpstream) -> None:
    upstream.models = [model("m")]
    registry = ProviderRegistry(Upstream(upstream.url, model="m"))
    await registry.choose("m")

    registry.configure(Upstream(upstream.url, model="m"))
    await registry.choose("m")

    assert upstream.model_lists == 1
    await registry.close()


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("text/html", b"<html>", "leads to a web page"),
        ("application/json", b"[]", "not a valid answer"),
        ("application/json", b'{"data": {}}', "not a valid answer"),
        ("application/json", b'{"data": [3, {"name": "x"}]}', "lists no model"),
        ("application/json", b"{", "not a valid answer"),
    ],
)
async def test_a_list_of_models_that_is_none_is_told_in_plain_words(
    upstream: RawUpstream, kind: str, body: bytes, said: str
) -> None:
    upstream.content_type, upstream.models_body = kind, body
    registry = ProviderRegistry(Upstream(upstream.url))

    with pytest.raises(UpstreamError, match=said):
        await registry.choose("default")
    await registry.close()


async def test_another_program_on_the_local_port_is_not_taken_for_a_model_server(
    upstream: RawUpstream, local: ProviderRegistry
) -> None:
    upstream.content_type, upstream.models_body = "text/html", b"<html>"

    assert isinstance((await local.choose("default")).provider, OfflineProvider)


async def test_a_local_server_that_is_busy_is_still_there(
    upstream: RawUpstream, local: ProviderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.models = [model("llama3.2")]
    await local.choose("default")
    monkeypatch.setattr("streamlit_assistant.providers.listed_models.KEPT_SECONDS", -1)
    upstream.pause_before = 1.5

    assert (await local.choose("llama3.2")).model == "llama3.2"


async def test_what_a_model_holds_is_taken_from_the_server_s_list(upstream: RawUpstream) -> None:
    fields = ("context_length", "max_model_len", "max_context_length")
    listed = [{"id": name, name: 8192} for name in fields]
    upstream.models = [*listed, {"id": "silent"}, {"id": "odd", "context_length": "8k"}]
    registry = ProviderRegistry(Upstream(upstream.url))
    known = [await registry.choose(name) for name in (*fields, "silent", "odd")]
    await registry.close()

    assert [choice.context_tokens for choice in known] == [8192, 8192, 8192, None, None]


async def test_a_model_that_was_just_loaded_answers_at_once(upstream: RawUpstream) -> None:
    upstream.models = []
    registry = ProviderRegistry(Upstream(upstream.url), local_base_url=None)

    with pytest.raises(UpstreamError, match="load one"):
        await registry.choose("default")
    upstream.models = [model("llama3.2")]

    assert (await registry.choose("default")).model == "llama3.2"
    await registry.close()


async def test_a_list_of_models_that_fails_for_a_moment_is_asked_for_again(
    upstream: RawUpstream,
) -> None:
    time = FakeTime()

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        upstream.models = [model("llama3.2")]

    shared = replace(time.steadiness(), sleep=sleep)
    registry = ProviderRegistry(Upstream(upstream.url), local_base_url=None, steadiness=shared)

    assert (await registry.choose("default")).model == "llama3.2"
    assert time.slept == [0.5]
    await registry.close()
