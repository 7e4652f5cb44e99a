"""Which model servers are best left alone for a while: those that are down or overrun."""

import time
from dataclasses import dataclass

from streamlit_assistant.records import Clock

FAILURES = 3  # to connect, one after the other
OPEN_SECONDS = 30.0  # for which a server is then asked only if there is no other
LONGEST_REST = 60.0  # that all take because one was told to; who asks for more tells each


@dataclass
class _Health:
    failures: int = 0
    open_until: float = float("-inf")
    rests_until: float = float("-inf")


class Breaker:
    """What all runs of this process have met at each server. Servers go by their addresses."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Health] = {}

    def failed(self, server: str) -> None:
        """Note that nobody listened there."""
        health = self._of(server)
        health.failures += 1
        if health.failures >= FAILURES:
            # Also after the first failure once the time is over: nothing has changed there.
            health.open_until = self._clock() + OPEN_SECONDS

    def reached(self, server: str) -> None:
        """Note that it has answered, whatever it said."""
        health = self._of(server)
        health.failures = 0
        health.open_until = float("-inf")

    def is_open(self, server: str) -> bool:
        """Return whether it is to be skipped where another one can be asked."""
        return self._clock() < self._of(server).open_until

    def rest(self, server: str, seconds: float) -> None:
        """Let all others wait as well where one was told to."""
        if seconds <= LONGEST_REST:
            health = self._of(server)
            health.rests_until = max(health.rests_until, self._clock() + seconds)

    def rest_left(self, server: str) -> float:
        """Return for how many seconds the server still wants to be left alone."""
        return max(self._of(server).rests_until - self._clock(), 0.0)

    def _of(self, server: str) -> _Health:
        return self._known.setdefault(server, _Health())
