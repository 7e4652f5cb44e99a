"""Which model is asked for the one that was named, and what is told of it."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import httpx2
import pytest

from streamlit_assistant.providers.listed_models import (
    PATIENCE_SECONDS,
    SILENT_SECONDS,
    ListedModels,
)
from streamlit_assistant.providers.model_resolution import Resolved, Resolver
from streamlit_assistant.providers.upstream import OPENAI_BASE_URL, Upstream
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.providers.conftest import RawUpstream

NOVEMBER = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
FEBRUARY = datetime(2027, 2, 1, tzinfo=UTC).timestamp()


@pytest.fixture
async def client(upstream: RawUpstream) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=upstream.url) as opened:
        yield opened


def listed(client: httpx2.AsyncClient, upstream: Upstream) -> ListedModels:
    return ListedModels(client, Explainer(upstream.base_url, None), upstream, lambda models: None)


async def resolved(
    client: httpx2.AsyncClient,
    upstream: Upstream,
    model: str,
    aliases: Mapping[str, str] | None = None,
    now: float = NOVEMBER,
) -> Resolved:
    resolver = Resolver(upstream, listed(client, upstream), clock=lambda: now)
    return await resolver.resolve(model, aliases or {})


def openai(model: str | None = "gpt-6-luna") -> Upstream:
    return Upstream(OPENAI_BASE_URL, "k", model)


async def test_at_openai_a_retired_model_is_replaced_and_that_is_told(
    client: httpx2.AsyncClient,
) -> None:
    found = await resolved(client, openai(), "gpt-4-turbo-preview")

    assert found.model == "gpt-6-luna"
    [told] = found.notices
    assert told.code == "model_retired"
    assert told.message == "gpt-4-turbo-preview is retired; gpt-6-luna answers in its place."
    assert told.details == {"asked": "gpt-4-turbo-preview", "answered": "gpt-6-luna"}


@pytest.mark.parametrize(
    ("default", "answering"),
    [("gpt-6-astra", "gpt-6-astra"), ("gpt-4", "gpt-6-luna"), (None, "gpt-6-luna")],
)
async def test_the_owners_own_model_takes_the_place_unless_it_is_retired_too(
    client: httpx2.AsyncClient, default: str | None, answering: str
) -> None:
    assert (await resolved(client, openai(default), "gpt-3.5-turbo")).model == answering


async def test_a_retired_default_is_replaced_as_well(client: httpx2.AsyncClient) -> None:
    found = await resolved(client, openai("gpt-4"), "default")

    assert (found.model, found.notices[0].code) == ("gpt-6-luna", "model_retired")


async def test_a_model_with_a_last_day_is_asked_and_the_day_told_until_it_is_over(
    client: httpx2.AsyncClient,
) -> None:
    before = await resolved(client, openai(), "gpt-4o")
    after = await resolved(client, openai(), "gpt-4o", now=FEBRUARY)

    assert (before.model, after.model) == ("gpt-4o", "gpt-6-luna")
    assert before.notices[0].code == "model_shutdown"
    assert before.notices[0].details == {"model": "gpt-4o", "date": "2027-01-14"}
    assert after.notices[0].code == "model_retired"


async def test_models_of_today_are_asked_without_a_word(client: httpx2.AsyncClient) -> None:
    assert await resolved(client, openai(), "gpt-6.1-terra") == Resolved("gpt-6.1-terra", [])


async def test_what_is_retired_at_openai_may_live_elsewhere(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models = [{"id": "gpt-4"}]
    azure = Upstream("https://mine.openai.azure.com/openai/v1", "k")

    assert await resolved(client, Upstream(upstream.url), "gpt-4") == Resolved("gpt-4", [])
    assert await resolved(client, azure, "gpt-4") == Resolved("gpt-4", [])


async def test_a_model_that_is_not_listed_is_replaced_and_that_is_told(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models = [{"id": "llama3.2:latest"}]

    found = await resolved(client, Upstream(upstream.url), "gpt-4o")

    assert (found.model, found.is_missing) == ("llama3.2:latest", True)
    [told] = found.notices
    assert told.code == "model_missing"
    assert told.details == {"asked": "gpt-4o", "answered": "llama3.2:latest"}


async def test_a_listed_model_may_be_named_without_its_tag(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models = [{"id": "qwen3:8b"}, {"id": "llama3.2:latest"}]

    assert await resolved(client, Upstream(upstream.url), "llama3.2") == Resolved("llama3.2", [])


async def test_a_default_that_is_not_listed_is_asked_all_the_same(
    upstream: RawUpstream, client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.models = [{"id": "llama3.2"}]
    server = Upstream(upstream.url, model="mine")

    assert await resolved(client, server, "mine") == Resolved("mine", [])
    assert caplog.text == ""


async def test_the_owner_may_wish_for_other_models_at_any_server(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models = [{"id": "llama3.2"}, {"id": "qwen3"}]
    wishes = {"gpt-4": "qwen3", "gpt-4o": "gone"}

    here = await resolved(client, Upstream(upstream.url), "gpt-4", wishes)
    there = await resolved(client, openai(), "gpt-4", wishes)
    lost = await resolved(client, Upstream(upstream.url), "gpt-4o", wishes)

    assert (here.model, [told.code for told in here.notices]) == ("qwen3", ["model_replaced"])
    assert (there.model, [told.code for told in there.notices]) == ("qwen3", ["model_retired"])
    assert [told.code for told in lost.notices] == ["model_replaced", "model_missing"]
    assert (lost.model, [dict(told.details) for told in lost.notices]) == (
        "llama3.2",
        [{"asked": "gpt-4o", "answered": "gone"}, {"asked": "gone", "answered": "llama3.2"}],
    )


async def test_the_owner_may_wish_for_a_retired_model_by_its_own_name(
    client: httpx2.AsyncClient,
) -> None:
    assert await resolved(client, openai(), "gpt-4", {"gpt-4": "gpt-4"}) == Resolved("gpt-4", [])


async def test_wishes_are_not_followed_from_one_to_the_next(client: httpx2.AsyncClient) -> None:
    found = await resolved(client, openai(), "a", {"a": "b", "b": "c"})

    assert found.model == "b"


async def test_the_last_day_that_a_server_tells_is_passed_on(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models = [{"id": "m", "shutdown_date": "2030-01-01"}]

    found = await resolved(client, Upstream(upstream.url), "m")

    assert [dict(told.details) for told in found.notices] == [{"model": "m", "date": "2030-01-01"}]


async def test_the_models_known_before_do_while_the_server_is_down(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models = [{"id": "llama3.2"}]
    models = ListedModels(
        *(client, Explainer(upstream.url, None), Upstream(upstream.url), lambda models: None),
        clock=iter(range(0, 10_000, 100)).__next__,
    )
    before = await models.default()
    upstream.models = None  # it answers 500

    assert (before, await models.default()) == ("llama3.2", "llama3.2")
    assert upstream.model_lists == 2


async def test_a_list_that_never_comes_is_waited_for_once(
    upstream: RawUpstream, client: httpx2.AsyncClient
) -> None:
    upstream.models, upstream.pause_before = [{"id": "m"}], PATIENCE_SECONDS + 0.5
    now = 0.0
    models = ListedModels(
        *(client, Explainer(upstream.url, None), Upstream(upstream.url), lambda models: None),
        clock=lambda: now,
    )

    lacking = [await models.lacks("other") for _ in range(3)]
    upstream.pause_before = 0.0
    now += SILENT_SECONDS

    assert (lacking, upstream.model_lists) == ([False] * 3, 1)
    assert await models.lacks("other")
