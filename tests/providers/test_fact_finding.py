"""Asking servers of their models: rarely, all at once, and never in anybody's way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.responses import Response

from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.chat.dialects import OLLAMA, UNKNOWN, Dialect
from streamlit_assistant.providers.connection import Connection
from streamlit_assistant.providers.fact_finding import (
    ASKING_SECONDS,
    PATIENCE_SECONDS,
    UNLOADED_SECONDS,
    FactFinder,
)
from streamlit_assistant.providers.listed_models import KEPT_SECONDS
from streamlit_assistant.providers.model_facts import Facts
from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.upstream import Manner, Upstream
from tests.conftest import FakeClock
from tests.providers.native_server import (
    MODEL,
    NativeServer,
    native_server,
    ollama,
    running,
    shown,
)

KEY = "sk-1234567890"
NO_EYES = frozenset({"tools", "json_schema"})
PROPS = {"default_generation_settings": {"n_ctx": 2048}, "modalities": {"vision": False}}


@asynccontextmanager
async def finder_for(
    server: NativeServer, clock: FakeClock, dialect: Dialect = OLLAMA
) -> AsyncIterator[FactFinder]:
    connection = Connection(Upstream(server.url, KEY))
    finder = FactFinder(connection._client, server.url, lambda: dialect, clock=clock)
    yield finder
    await finder.close()
    await connection.close()


async def settled(finder: FactFinder) -> None:
    await finder._errands.wait(MODEL, ASKING_SECONDS)


@pytest.mark.parametrize("prefix", ["", "/models/local"])
async def test_what_is_told_is_asked_for_below_the_root_and_with_the_key(
    clock: FakeClock, prefix: str
) -> None:
    says = {f"{prefix}{path}": words for path, words in ollama().items()}
    with native_server(prefix, says=says) as server:
        async with finder_for(server, clock) as finder:
            before = finder.known(MODEL)
            await finder.find(MODEL)

            assert (before, finder.known(MODEL)) == (Facts(), Facts(4096, NO_EYES))
    assert sorted(server.asked) == [
        (f"{prefix}/api/ps", {}),
        (f"{prefix}/api/show", {"model": MODEL}),
    ]
    assert server.keys == {f"Bearer {KEY}"}


async def test_it_is_asked_once_in_a_while_however_many_want_to_know(clock: FakeClock) -> None:
    with native_server(says=ollama()) as server:
        async with finder_for(server, clock) as finder:
            await asyncio.gather(*(finder.find(MODEL) for _ in range(20)))
            clock.now += KEPT_SECONDS - 1
            await finder.find(MODEL)
            once = len(server.asked)
            clock.now += 1
            await finder.find(MODEL)

    assert (once, len(server.asked)) == (2, 4)


async def test_what_changed_is_noticed(clock: FakeClock) -> None:
    with native_server(says=ollama()) as server:
        async with finder_for(server, clock) as finder:
            await finder.find(MODEL)
            server.says["/api/ps"] = running(32768)
            await finder.find(MODEL)
            still = finder.known(MODEL).context_tokens
            await finder.find(MODEL, anew=True)

            assert (still, finder.known(MODEL).context_tokens) == (4096, 32768)


async def test_a_model_that_was_not_loaded_is_looked_at_again_soon(clock: FakeClock) -> None:
    with native_server(says=ollama(**{"/api/ps": {"models": []}})) as server:
        async with finder_for(server, clock) as finder:
            await finder.find(MODEL)
            cold = finder.known(MODEL)
            server.says["/api/ps"] = running(4096)
            clock.now += UNLOADED_SECONDS
            await finder.find(MODEL)
            warm = finder.known(MODEL)
            server.says["/api/ps"] = {"models": []}
            clock.now += KEPT_SECONDS
            await finder.find(MODEL)

            # It is loaded again as it was before.
            assert finder.known(MODEL) == Facts(4096, NO_EYES, is_loaded=False)
    assert (cold.context_tokens, warm.context_tokens) == (40960, 4096)


@pytest.mark.parametrize(
    "refusal",
    [
        Response("no", 404),
        Response("busy", 503),
        Response("{", media_type="application/json"),
        Response("[" * 200_000, media_type="application/json"),
        Response("<html>", media_type="text/html"),
        Response("[1]", media_type="application/json"),
    ],
)
async def test_a_server_that_tells_nothing_is_left_alone_for_a_while(
    clock: FakeClock, refusal: Response
) -> None:
    with native_server(says=ollama()) as server:
        async with finder_for(server, clock) as finder:
            await finder.find(MODEL)
            server.says = {"/api/show": refusal, "/api/ps": refusal}
            clock.now += KEPT_SECONDS
            await finder.find(MODEL)
            await finder.find(MODEL)

            assert finder.known(MODEL) == Facts(4096, NO_EYES)
    assert len(server.asked) == 4


async def test_a_server_that_is_not_there_is_no_failure(clock: FakeClock) -> None:
    async with finder_for(NativeServer("http://127.0.0.1:9/v1"), clock) as finder:
        await finder.find(MODEL)

        assert finder.known(MODEL) == Facts()


async def test_a_slow_server_keeps_nobody_waiting_and_is_heard_all_the_same(
    clock: FakeClock,
) -> None:
    with native_server(says=ollama(), pause=3 * PATIENCE_SECONDS) as server:
        async with finder_for(server, clock) as finder:
            began = time.monotonic()
            await asyncio.gather(*(finder.find(MODEL) for _ in range(5)))
            took = time.monotonic() - began
            early = finder.known(MODEL)
            await settled(finder)

            assert (early, finder.known(MODEL)) == (Facts(), Facts(4096, NO_EYES))
    assert took < 2 * PATIENCE_SECONDS
    assert len(server.asked) == 2


async def test_who_gives_up_waiting_does_not_end_the_asking(clock: FakeClock) -> None:
    with native_server(says=ollama(), pause=0.1) as server:
        async with finder_for(server, clock) as finder:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await finder.find(MODEL)
            await settled(finder)

            assert finder.known(MODEL).context_tokens == 4096


async def test_closing_waits_for_nobody(clock: FakeClock) -> None:
    with native_server(says=ollama(), pause=ASKING_SECONDS / 2) as server:
        async with finder_for(server, clock) as finder:
            finder.begin(MODEL)
            await asyncio.sleep(0.02)
            began = time.monotonic()

    assert time.monotonic() - began < ASKING_SECONDS
    assert finder.known(MODEL) == Facts()


async def test_one_of_many_models_is_not_loaded_by_being_asked_about() -> None:
    with native_server(owner="llamacpp", says={"/props": PROPS}) as server:
        connection = Connection(Upstream(server.url))
        await connection.models()
        await connection.learn("a b&c/d")
        await connection.close()

    assert server.asked == [("/props", {"model": "a b&c/d", "autoload": "false"})]


async def test_an_unknown_server_is_asked_nothing(clock: FakeClock) -> None:
    with native_server(says=ollama()) as server:
        async with finder_for(server, clock, UNKNOWN) as finder:
            await finder.find(MODEL)

    assert server.asked == []


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_what_the_server_tells_is_known_to_whoever_chooses(api: Any) -> None:
    with native_server(owner="llamacpp", says={"/props": PROPS}) as server:
        connection = Connection(Upstream(server.url), Manner(api))
        await connection.models()
        await connection.learn(MODEL)
        abilities = connection.abilities(MODEL)
        await connection.close()

    assert (abilities.context_tokens, abilities.capabilities) == (2048, NO_EYES)


async def test_a_run_is_made_for_what_the_model_holds() -> None:
    with native_server(owner="llamacpp", says={"/props": PROPS}) as server:
        registry = ProviderRegistry(Upstream(server.url))
        choices = [await registry.choose("default") for _ in range(3)]
        await registry.close()

    assert [choice.context_tokens for choice in choices] == [2048] * 3
    assert server.paths == ["/props"]


async def test_of_a_model_that_is_not_spoken_of_nothing_is_known() -> None:
    says = {"/api/v0/models": {"data": [{"id": MODEL, "loaded_context_length": 4096}]}}
    with native_server(owner="organization_owner", says=says, listed=[MODEL, "x"]) as server:
        connection = Connection(Upstream(server.url))
        await connection.models()
        for model in (MODEL, "x"):
            await connection.learn(model)
        known = [connection.context_tokens(model) for model in (MODEL, "x")]
        await connection.close()

    assert known == [4096, None]
    assert server.paths == ["/api/v0/models"] * 2


async def test_it_is_asked_beside_the_list_of_models() -> None:
    with native_server(says={"/api/v0/models": {"data": []}}, owner="organization_owner") as server:
        upstream = Upstream(server.url, None, MODEL)
        registry = ProviderRegistry(upstream)
        connection = await registry._connect(upstream)
        connection._heard(await connection.models())
        connection._models._read_at = float("-inf")  # as after a while
        server.list_waits = True
        await registry.choose(MODEL)
        await registry.close()

    assert server.was_beside


async def test_ollama_is_recognized_by_how_it_signs_its_answers() -> None:
    with native_server(says=ollama(**{"/api/show": shown("tools", "vision")})) as server:
        connection = Connection(Upstream(server.url))
        await connection.learn(MODEL)
        before = connection.abilities(MODEL)
        provider = connection.provider
        assert isinstance(provider, ChatCompletionsProvider)
        provider.dialect = OLLAMA  # as after an answer
        await connection.learn(MODEL)
        after = connection.abilities(MODEL)
        await connection.close()

    assert (before.capabilities, before.context_tokens) == (None, None)
    assert (after.capabilities, after.context_tokens) == (NO_EYES | {"vision"}, 4096)
