"""Who may answer a run: the model that is asked for, and those that stand in for it."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import Answering, ModelRequest, PromptMessage
from streamlit_assistant.providers.capabilities import Capability, Check, Report, Verdict
from streamlit_assistant.providers.choice import ModelChoice
from streamlit_assistant.providers.known_capabilities import KnownCapabilities
from streamlit_assistant.providers.offline import OfflineProvider
from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.upstream import ProviderOptions, StandIn
from streamlit_assistant.providers.upstream import Upstream as Place
from tests.providers.native_server import MODEL, native_server
from tests.providers.steady import REQUEST, FakeTime, drained, notices, text
from tests.providers.test_known_capabilities import Shelf
from tests.upstream import Upstream, model_server
from tests.upstream_scripts import model_not_found, out_of_credit, server_error, spoken

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
WITH_IMAGE = replace(REQUEST, messages=[PromptMessage("user", [IMAGE])])


@pytest.fixture
def one() -> Iterator[Upstream]:
    with model_server(models=("first", "second")) as server:
        yield server


@pytest.fixture
def two() -> Iterator[Upstream]:
    with model_server(models=("third",)) as server:
        yield server


@pytest.fixture
def nowhere() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@asynccontextmanager
async def registry(
    usual: Upstream | str | None, *stand_ins: StandIn, model: str | None = None, **options: Any
) -> AsyncIterator[ProviderRegistry]:
    """A registry for which waiting takes no time; `usual` None: no server is configured."""
    url = usual.base_url if isinstance(usual, Upstream) else usual
    made = ProviderRegistry(
        None if url is None else Place(url, model=model),
        local_base_url=None,
        options=ProviderOptions(stand_ins=stand_ins, **options),
        steadiness=FakeTime().steadiness(),
    )
    yield made
    await made.close()


def there(server: Upstream | str, model: str) -> StandIn:
    """A model of another server."""
    url = server if isinstance(server, str) else server.base_url
    return StandIn(model, Place(url, None, model))


async def said(choice: ModelChoice) -> str:
    """What is answered."""
    seen, error = await drained(choice.provider.stream(REQUEST))
    assert error is None
    return text(seen)


async def test_stand_ins_of_the_assistant_come_before_those_of_the_settings(
    one: Upstream, two: Upstream
) -> None:
    one.queue(out_of_credit(), out_of_credit())
    two.queue(spoken("There."))
    async with registry(one, there(two, "third")) as source:
        choice = await source.choose("first", ["second"])
        seen, _ = await drained(choice.provider.stream(REQUEST))

    assert [request.body["model"] for request in one.requests] == ["first", "second"]
    assert text(seen) == "There."
    assert Answering("third") in seen


async def test_an_assistant_can_name_no_server(one: Upstream, two: Upstream) -> None:
    one.queue(out_of_credit())
    async with registry(one) as source:
        choice = await source.choose("first", [f"third@{two.base_url}"])
        _, error = await drained(choice.provider.stream(REQUEST))

    assert error is not None
    assert two.requests == []


async def test_stand_ins_that_the_server_does_not_have_are_left_out(one: Upstream) -> None:
    one.queue(out_of_credit())
    async with registry(one, StandIn("missing"), StandIn("first")) as source:
        choice = await source.choose("first")
        _, error = await drained(choice.provider.stream(REQUEST))

    assert error is not None
    assert len(one.requests) == 1


async def test_the_default_model_may_stand_in(one: Upstream) -> None:
    one.queue(out_of_credit(), spoken("There."))
    async with registry(one) as source:
        choice = await source.choose("second", ["default"])

        assert await said(choice) == "There."
    assert one.requests[1].body["model"] == "first"


async def test_a_run_goes_on_with_the_server_that_has_its_model(
    one: Upstream, two: Upstream
) -> None:
    two.queue(spoken("There."))  # once it has answered, the run names its model
    async with registry(one, there(two, "third")) as source:
        choice = await source.choose("third")

        assert (choice.model, list(choice.notices)) == ("third", [])
        assert await said(choice) == "There."
    assert one.requests == []


async def test_a_model_that_both_have_is_asked_where_it_usually_is(
    one: Upstream, two: Upstream
) -> None:
    one.queue(spoken("Here."))
    async with registry(one, there(two, "first")) as source:
        assert await said(await source.choose("first")) == "Here."


async def test_a_server_that_is_down_is_stood_in_for_even_where_its_models_are_unknown(
    two: Upstream, nowhere: str
) -> None:
    two.queue(spoken("There."))
    async with registry(nowhere, there(two, "third")) as source:
        choice = await source.choose("default")

        assert choice.model == "third"
        [told] = choice.notices
        assert told.code == "fallback"
        assert told.details["asked"] == "default"
        assert "in place of the usual model" in told.message
        assert "cannot be reached" in told.details["reason"]
        assert await said(choice) == "There."


async def test_where_no_server_is_configured_a_stand_in_answers(two: Upstream) -> None:
    two.queue(spoken("There."))
    async with registry(None, there(two, "third")) as source:
        choice = await source.choose("default")

        assert (choice.model, list(choice.notices)) == ("third", [])
        assert await said(choice) == "There."
        assert two.base_url in await source.summary()
        assert [known.id for known in await source.models()] == ["third"]


async def test_a_stand_in_at_the_usual_server_is_of_no_use_without_that() -> None:
    async with registry(None, StandIn("second")) as source:
        assert isinstance((await source.choose("default")).provider, OfflineProvider)


async def test_a_stand_in_that_is_down_as_well_is_told_of(two: Upstream, nowhere: str) -> None:
    two.queue(*[server_error()] * 4)
    async with registry(two, there(nowhere, "m")) as source:
        choice = await source.choose("default")
        _, error = await drained(choice.provider.stream(REQUEST))

    assert error is not None
    assert "failed with status 500" in error.message
    assert "m was asked instead" in error.message


async def test_a_server_without_models_and_without_stand_ins_fails_as_before(
    nowhere: str,
) -> None:
    async with registry(nowhere) as source:
        with pytest.raises(UpstreamError, match="cannot be reached"):
            await source.choose("default")


async def test_wishes_of_the_owner_are_kept(one: Upstream) -> None:
    async with registry(one, aliases={"gpt-4o": "second"}) as source:
        choice = await source.choose("gpt-4o")

    assert choice.model == "second"
    assert [told.code for told in choice.notices] == ["model_replaced"]


async def test_what_the_list_tells_of_a_stand_in_is_heeded(one: Upstream) -> None:
    facts = {"blind": {"capabilities": {"vision": False}}, "sharp": {}}
    one.queue(out_of_credit())
    with model_server(models=("blind", "sharp"), facts=facts) as other:
        other.queue(spoken("A cat."))
        async with registry(one, there(other, "blind"), there(other, "sharp")) as source:
            choice = await source.choose("first")
            seen, _ = await drained(choice.provider.stream(WITH_IMAGE))

    assert text(seen) == "A cat."
    assert other.requests[0].body["model"] == "sharp"


@pytest.mark.parametrize(
    ("props", "request_"),
    [
        ({"modalities": {"vision": False}}, WITH_IMAGE),
        ({"default_generation_settings": {"n_ctx": 8}}, replace(REQUEST, instructions="x " * 99)),
    ],
)
async def test_what_a_stand_in_tells_beside_its_list_is_heeded(
    one: Upstream, props: dict[str, Any], request_: ModelRequest
) -> None:
    one.queue(out_of_credit())
    with native_server(owner="llamacpp", says={"/props": props}) as other:
        async with registry(one, StandIn(MODEL, Place(other.url, None, MODEL))) as source:
            choice = await source.choose("first")
            before = other.paths
            _, error = await drained(choice.provider.stream(request_))

    assert error is not None
    # It is not looked at before its turn comes, and not asked what it cannot answer.
    assert (before, other.paths) == ([], ["/props"])


async def test_what_a_test_of_another_process_has_shown_is_heeded(one: Upstream) -> None:
    verdicts = {Capability.STREAMING: Verdict.YES, Capability.VISION: Verdict.NO}
    checks = [Check(name, verdict, "") for name, verdict in verdicts.items()]
    shelf = Shelf()
    await KnownCapabilities(shelf).keep(Report(one.base_url, "first", "chat", checks, None, 10))
    async with registry(one) as source:
        source.share(None, None, shelf)
        choice = await source.choose("first")
        _, error = await drained(choice.provider.stream(WITH_IMAGE))

    assert error is not None
    assert error.message.startswith("first cannot see images")
    assert one.requests == []


async def test_what_a_test_has_shown_of_a_model_is_heeded(one: Upstream) -> None:
    verdicts = {Capability.STREAMING: Verdict.YES, Capability.VISION: Verdict.NO}
    checks = [Check(name, verdict, "") for name, verdict in verdicts.items()]
    async with registry(one) as source:
        source.probed.note(one.base_url, "first", Report(one.base_url, "first", "chat", checks))
        choice = await source.choose("first")
        _, error = await drained(choice.provider.stream(WITH_IMAGE))

    assert error is not None
    assert error.message.startswith("first cannot see images")
    assert one.requests == []


async def test_the_model_for_a_test_is_the_one_that_answers(one: Upstream) -> None:
    async with registry(one) as source:
        subject = await source.subject()
    async with registry(None) as source:
        nobody = await source.subject()

    assert (subject.server, subject.model, subject.failure) == (one.base_url, "first", None)
    assert nobody.failure is not None


async def test_new_settings_bring_new_stand_ins(one: Upstream, two: Upstream) -> None:
    two.queue(spoken("There."))
    async with registry(one) as source:
        one.queue(model_not_found(), model_not_found())
        before, error = await drained((await source.choose("first")).provider.stream(REQUEST))
        source.configure(Place(one.base_url), ProviderOptions(stand_ins=[there(two, "third")]))
        after, _ = await drained((await source.choose("first")).provider.stream(REQUEST))

    assert error is not None
    assert (text(before), text(after)) == ("", "There.")
    assert [told.code for told in notices(after)] == ["fallback"]


async def test_another_model_than_the_one_that_was_named_is_told_without_a_usual_server(
    two: Upstream,
) -> None:
    async with registry(None, there(two, "third")) as source:
        named, usual = await source.choose("gpt-4o"), await source.choose("default")

    [told] = named.notices
    assert (told.code, told.details["asked"], told.details["answered"]) == (
        *("fallback", "gpt-4o", "third"),
    )
    assert list(usual.notices) == []


async def test_without_a_usual_server_who_was_named_comes_first(
    one: Upstream, two: Upstream
) -> None:
    # Else a run would go on after its calls with another model than the one that called.
    async with registry(None, there(one, "first"), there(two, "third")) as source:
        choice = await source.choose("third")

    assert (choice.model, list(choice.notices)) == ("third", [])
