"""A model that says what a test tells it to: the fake at the providers' border."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    TextDelta,
)
from streamlit_assistant.providers.choice import ModelChoice

Line = str | Delta | Exception | asyncio.Event
STOP = Finish(FinishReason.STOP)


class ScriptedProvider:
    """Answers each request with the next script; serves as its own `ProviderSource`.

    A string is a text delta, an exception is raised, an event is waited for.
    """

    def __init__(self, *scripts: list[Line], **choice: Any) -> None:
        """`choice`: what else there is to say of it, as fields of `ModelChoice`."""
        self.choice = choice
        self._scripts = list(scripts)
        self.requests: list[ModelRequest] = []
        self.closed = 0  # streams that were closed before their end
        self.was_closed = asyncio.Event()
        self.fallbacks: Sequence[str] = ()
        self.cancelled: list[str] = []  # answers that were to be ended at the server

    async def choose(self, model: str, fallbacks: Sequence[str] = ()) -> ModelChoice:
        self.fallbacks = fallbacks
        return ModelChoice(self, model, **self.choice)

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
