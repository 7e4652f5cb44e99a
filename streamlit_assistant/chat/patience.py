"""Sync column: asks again, with tenacity, until an answer will do; never sleeps for long."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, retry_if_result
from tenacity.wait import wait_base, wait_exponential_jitter

from streamlit_assistant.chat.chat_errors import ChatError

T = TypeVar("T")
S = TypeVar("S")

SIGN_OF_LIFE_INTERVAL = 0.25  # seconds
FIRST_PAUSE = 0.2  # seconds, plus as much jitter again
LONGEST_PAUSE = 5.0  # seconds, unless a refusal asks for more
SHORTEST_PAUSE = 0.05  # seconds, whatever the server proposes


@dataclass(frozen=True)
class Timing:
    """The clocks and the sleep in use; tests hand in their own."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def slices(self, seconds: float) -> Iterator[None]:
        """Sleep for so long, handing control back several times a second."""
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            self.sleep(min(left, SIGN_OF_LIFE_INTERVAL))
            yield


@dataclass(frozen=True)
class Patience:
    """Calls again after transient errors, up to `limit` seconds without an answer."""

    timing: Timing
    limit: float

    def call(self, request: Callable[[], T]) -> T:
        """Block until the request is answered."""
        return drain(self.insist(request, sign=lambda: None))

    def insist(
        self,
        request: Callable[[], T],
        *,
        sign: Callable[[], S],
        final: Callable[[T], bool] = lambda _: True,
        pause_after: Callable[[T], float | None] = lambda _: None,
    ) -> Generator[S, None, T]:
        """Return the first final answer; yield a sign of life in every slice of waiting for it."""
        due = [0.0]
        attempts = Retrying(
            # Sleeping here would freeze the page: the pause is noted down and slept below.
            sleep=lambda seconds: due.append(float(seconds)),
            wait=_ServerPace(pause_after),
            stop=_SilenceLimit(self.timing, self.limit),
            retry=retry_if_exception(_is_transient) | retry_if_result(lambda got: not final(got)),
            reraise=True,
        )
        for attempt in attempts:
            for _ in self.timing.slices(due.pop()):
                yield sign()
            with attempt:
                answer = request()
            if (outcome := attempt.retry_state.outcome) and not outcome.failed:
                attempt.retry_state.set_result(answer)
        return answer


def drain(generator: Generator[Any, None, T]) -> T:
    """Run a generator to its end for what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            result: T = end.value
            return result


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, ChatError) and error.transient


class _ServerPace(wait_base):
    """Waits as long as the server asks, else exponentially longer with jitter."""

    def __init__(self, pause_after: Callable[[Any], float | None]) -> None:
        self._pause_after = pause_after
        self._backoff = wait_exponential_jitter(
            multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE
        )

    def __call__(self, retry_state: RetryCallState) -> float:
        asked = self._asked(retry_state)
        return self._backoff(retry_state) if asked is None else max(asked, SHORTEST_PAUSE)

    def _asked(self, retry_state: RetryCallState) -> float | None:
        outcome = retry_state.outcome
        if outcome is None:
            return None
        if outcome.failed:
            error = outcome.exception()
            return error.retry_after if isinstance(error, ChatError) else None
        proposed = self._pause_after(outcome.result())
        return None if proposed is None else min(proposed, LONGEST_PAUSE)


class _SilenceLimit:
    """Stops when the next attempt would come too long after the last answer."""

    def __init__(self, timing: Timing, limit: float) -> None:
        self._timing = timing
        self._limit = limit
        self._heard = timing.monotonic()

    def __call__(self, retry_state: RetryCallState) -> bool:
        now = self._timing.monotonic()
        if retry_state.outcome is not None and not retry_state.outcome.failed:
            self._heard = now
            return False
        return now - self._heard + retry_state.upcoming_sleep > self._limit
