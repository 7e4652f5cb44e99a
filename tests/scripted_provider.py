"""A model that says what a test tells it to: the fake at the providers' border."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    ModelChoice,
    ModelRequest,
    TextDelta,
)

Line = str | Delta | Exception | asyncio.Event
STOP = Finish(FinishReason.STOP)


class ScriptedProvider:
    """Answers each request with the next script; serves as its own `ProviderSource`.

    A string is a text delta, an exception is raised, an event is waited for.
    """

    def __init__(self, *scripts: list[Line]) -> None:
        self._scripts = list(scripts)
        self.requests: list[ModelRequest] = []
        self.closed = 0  # streams that were closed before their end
        self.was_closed = asyncio.Event()
        self.cancelled: list[str] = []  # answers that were to be ended at the server

    async def choose(self, model: str, fallbacks: Sequence[str] = ()) -> ModelChoice:
        return ModelChoice(self, model)

    async def cancel(self, begun: str) -> None:
        self.cancelled.append(begun)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        try:
            for line in self._scripts.pop(0):
                match line:
                    case str():
                        yield TextDelta(line)
                    case asyncio.Event():
                        await line.wait()
                    case Exception():
                        raise line
                    case _:
                        yield line
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            self.was_closed.set()
            raise
