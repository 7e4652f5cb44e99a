"""One test at a time, whoever asks, and what is left of it."""

import asyncio
from collections.abc import Iterator

import pytest

from streamlit_assistant.providers.capabilities import Capability, Verdict
from streamlit_assistant.providers.known_capabilities import KnownCapabilities
from streamlit_assistant.providers.probing.reports import ProbeReports
from streamlit_assistant.providers.registry import ProviderRegistry
from streamlit_assistant.providers.upstream import Upstream
from tests.conftest import FakeClock
from tests.providers.probed_server import MODEL, ProbedServer, probed_server


@pytest.fixture
def server() -> Iterator[ProbedServer]:
    with probed_server(sees=False) as serving:
        yield serving


async def test_those_who_ask_while_a_test_is_made_get_its_report(
    server: ProbedServer, clock: FakeClock
) -> None:
    registry = ProviderRegistry(Upstream(server.url))
    probes = ProbeReports(registry.subject, registry.probed, clock)
    subject = await registry.subject()
    assert await probes.latest(subject) is None
    assert probes.under_way is None

    first, second = await asyncio.gather(probes.report(), probes.report())
    third = await probes.report()
    latest = await probes.latest(subject)
    await registry.close()

    assert first is second
    assert (third is first, third.verdict(Capability.VISION)) == (False, Verdict.NO)
    assert first.probed_at == int(clock.now)
    assert latest is third
    assert probes.under_way is None
    assert registry.probed.of(server.url, MODEL) == frozenset({"tools", "json_schema"})


async def test_a_test_does_not_end_with_the_patience_of_whoever_asked(
    server: ProbedServer,
) -> None:
    registry = ProviderRegistry(Upstream(server.url))
    probes = ProbeReports(registry.subject, registry.probed)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await probes.report()
    assert probes.under_way is not None

    report = await probes.report()
    await registry.close()

    assert report.can_answer
    assert len(server.requests) == 9


async def test_a_defect_is_told_to_whoever_waits_and_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> None:
        raise RuntimeError("the client has been closed")

    probes = ProbeReports(broken, KnownCapabilities())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        await probes.report()
    await asyncio.sleep(0)

    assert probes.under_way is None
    assert "the test of the model failed" in caplog.text
