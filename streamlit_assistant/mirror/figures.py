"""How far the copies are, as health and metrics tell it: the same in all processes."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from streamlit_assistant.records import JSON, Clock
from streamlit_assistant.store.mirrors import Backlog, Mirrors

FRESH_SECONDS = 0.5  # however often somebody asks
LONGEST_WAIT = 0.5  # then who asks for health is told what was known before
BEHIND_SECONDS = 10.0  # what is delivered sooner is not worth a word


@dataclass(frozen=True)
class MirrorFigures:
    """One mirror. `target` is its kind, with a number where there are several of a kind."""

    target: str
    pending: int
    lag_seconds: float
    is_away: bool
    delivered: int
    refused: int

    def told(self) -> JSON:
        """Return what anybody may know: not where the store is, nor what it said."""
        late = "behind" if self.lag_seconds > BEHIND_SECONDS else "ok"
        return {
            "target": self.target,
            "pending": self.pending,
            "lag_seconds": self.lag_seconds,
            "state": "away" if self.is_away else late,
        }


class FigureReader:
    """Reads the figures once for all who ask at about the same time."""

    def __init__(self, mirrors: Mirrors, clock: Clock) -> None:
        self._mirrors = mirrors
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: Sequence[MirrorFigures] = ()
        self._known_until = 0.0

    async def read(self) -> Sequence[MirrorFigures]:
        """Return the figures as they are, or were a moment ago."""
        async with self._lock:
            if time.monotonic() > self._known_until:
                self._known = _figures(await self._mirrors.backlogs(), self._clock())
                self._known_until = time.monotonic() + FRESH_SECONDS
        return self._known

    async def told(self, passing: tuple[type[Exception], ...]) -> list[JSON]:
        """Return what health tells, soon in any case; `passing`: errors of a database away."""
        expected: tuple[type[Exception], ...] = (TimeoutError, *passing)
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                known = await self.read()
        except expected:
            known = self._known
        return [mirror.told() for mirror in known]


def _figures(backlogs: Sequence[Backlog], now: float) -> list[MirrorFigures]:
    known: Counter[str] = Counter()
    figures = []
    for backlog in backlogs:
        mirror = backlog.mirror
        known[mirror.kind] += 1
        number = known[mirror.kind]
        since = now if backlog.oldest_at is None else backlog.oldest_at
        figures.append(
            MirrorFigures(
                target=mirror.kind if number == 1 else f"{mirror.kind}-{number}",
                pending=backlog.pending,
                lag_seconds=round(max(0.0, now - since), 1),
                is_away=mirror.away_since is not None,
                delivered=mirror.delivered,
                refused=mirror.refused,
            )
        )
    return figures
