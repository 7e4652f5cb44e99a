"""What tests of retry and fallback share: time that costs nothing, and candidates to be asked."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

import httpx2

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Delta,
    ModelRequest,
    Noticed,
    PromptMessage,
    Provider,
    TextDelta,
)
from streamlit_assistant.providers.breaker import Breaker
from streamlit_assistant.providers.candidates import Abilities, Candidate
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.pacing import Pacer
from streamlit_assistant.providers.retrying import SteadyProvider
from streamlit_assistant.providers.steadiness import Steadiness
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.scripted_provider import Line

HI = PromptMessage("user", [{"type": "text", "text": {"value": "hi"}}])
REQUEST = ModelRequest("asked", "", [HI])
ANYTHING = Abilities(hosts_tools=True, reads_files=True)


@dataclass
class FakeTime:
    """Time that passes only while somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds

    def steadiness(self, *, pacer: Pacer | None = None, chance: float = 0.5) -> Steadiness:
        """What all runs share, in this time; `chance` 0.5 makes waits neither longer nor shorter.

        A shared rest grows by `chance` seconds.
        """
        return Steadiness(
            Breaker(self.clock),
            pacer=pacer,
            clock=self.clock,
            sleep=self.sleep,
            random=lambda: chance,
        )


@dataclass
class FixedPacer:
    """Gives the same waits to whoever asks, one after the other."""

    waits: list[float]
    reserved: list[tuple[str, int]] = field(default_factory=list)

    async def reserve(self, server: str, tokens: int) -> float:
        self.reserved.append((server, tokens))
        return self.waits.pop(0) if self.waits else 0.0


def times(count: int, *script: Line) -> list[list[Line]]:
    """The same script for several requests."""
    return [list(script) for _ in range(count)]


def candidate(
    provider: Provider, model: str, server: str = "http://one/v1", able: Abilities = ANYTHING
) -> Candidate:
    """A model that answers through a provider."""

    async def abilities() -> Abilities:
        return able

    return Candidate(server, model, provider, abilities)


def chat_candidate(client: httpx2.AsyncClient, url: str, model: str) -> Candidate:
    """A model at a server on a real socket; `client` is closed by the test."""
    return candidate(ChatCompletionsProvider(client, Explainer(url, None)), model, url)


async def drained(stream: AsyncGenerator[Delta, None]) -> tuple[list[Delta], UpstreamError | None]:
    """All that came, and the error that it ended with."""
    seen: list[Delta] = []
    try:
        async for delta in stream:
            seen.append(delta)
    except UpstreamError as error:
        return seen, error
    return seen, None


async def asked(
    provider: SteadyProvider, request: ModelRequest = REQUEST
) -> tuple[list[Delta], UpstreamError | None]:
    """What a request brings."""
    return await drained(provider.stream(request))


def text(deltas: Iterable[Delta]) -> str:
    """What is said."""
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def notices(deltas: Iterable[Delta]) -> list[Noticed]:
    """What is told of how the answer came about."""
    return [delta for delta in deltas if isinstance(delta, Noticed)]
