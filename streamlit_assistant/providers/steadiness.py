"""What all runs of a process share towards the model servers, and how they wait for them."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from math import ceil

from streamlit_assistant.providers.base import ModelRequest, Noticed
from streamlit_assistant.providers.breaker import Breaker
from streamlit_assistant.providers.pacing import Pacer, expected_tokens
from streamlit_assistant.providers.refused_parameters import RefusedParameters
from streamlit_assistant.records import Clock

CAP_SECONDS = 60.0  # after which no new try for an answer begins
MENTIONED_SECONDS = 1.0  # shorter waits are not worth a word

RESTING = "The model server has asked for a pause."
PACED = "This site may not ask the model server more often."


@dataclass
class Steadiness:
    """Who is down, who rests, what is refused, how fast one may ask; and the time."""

    breaker: Breaker = field(default_factory=Breaker)
    refused: RefusedParameters = field(default_factory=RefusedParameters)
    pacer: Pacer | None = None
    clock: Clock = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random  # from 0 to 1


class Effort:
    """The time that one answer may take to begin, all candidates together."""

    def __init__(self, steadiness: Steadiness) -> None:
        self._steadiness = steadiness
        self._began = steadiness.clock()
        self._excused = 0.0  # seconds of waiting that were not for a failure
        self.is_settled = False  # the answer has begun to be seen: nothing can be tried again

    @property
    def seconds_left(self) -> float:
        """How long one may still wait for the next try."""
        return self._began + self._excused + CAP_SECONDS - self._steadiness.clock()

    async def pause(self, seconds: float, reason: str) -> AsyncGenerator[Noticed, None]:
        """Wait, and say so if it is long."""
        if seconds > MENTIONED_SECONDS:
            yield _waiting(seconds, reason)
        await self._steadiness.sleep(seconds)

    async def turn(self, server: str, request: ModelRequest) -> AsyncGenerator[Noticed, None]:
        """Wait until the server may be asked. That is no failure and takes as long as it takes."""
        steadiness = self._steadiness
        while True:
            if rest := steadiness.breaker.rest_left(server):
                rest += steadiness.random()  # so that not all who wait come at once
                for waiting in self._excused_wait(rest, RESTING):
                    yield waiting
                await steadiness.sleep(rest)
            if steadiness.pacer is None:
                return
            seconds = await steadiness.pacer.reserve(server, expected_tokens(request))
            if seconds <= 0:
                return
            for waiting in self._excused_wait(seconds, PACED):
                yield waiting
            await steadiness.sleep(seconds)
            if not steadiness.breaker.rest_left(server):
                return
            # Others were told to rest meanwhile: this turn is given up for a later one.

    def _excused_wait(self, seconds: float, reason: str) -> Iterator[Noticed]:
        self._excused += seconds
        if seconds > MENTIONED_SECONDS:
            yield _waiting(seconds, reason)


def _waiting(seconds: float, reason: str) -> Noticed:
    whole = ceil(seconds)
    return Noticed(
        "waiting",
        f"{reason} Asking again in {whole} seconds.",
        {"seconds": str(whole), "reason": reason},
    )
