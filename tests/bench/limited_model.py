"""A model server with a limit of requests a minute, which it counts by the second.

Whoever is at rest may ask a second's worth at once; what is more is refused with 429. Every request
is answered with a few words. `GET /_counted` says how many there were.
"""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.upstream import Upstream, module_process, served
from tests.upstream_replies import Received
from tests.upstream_scripts import Script, rate_limited, spoken

MINUTE = 60.0


class LimitedModel(Upstream):
    """Counts what it is asked."""

    def __init__(self, per_minute: int) -> None:
        super().__init__()
        self._rate = per_minute / MINUTE
        self._most = max(self._rate, 1.0)
        self._left = self._most
        self._seen = time.monotonic()
        self.came: list[float] = []
        self.refused = 0

    def application(self) -> Starlette:
        """The server's endpoints, and how many requests there were."""
        application = super().application()
        application.router.routes.append(Route("/_counted", self._count))
        return application

    def answer(self, received: Received, number: int) -> Script:
        """Answer, or refuse what is too much."""
        now = time.monotonic()
        self.came.append(now)
        self._left = min(self._left + (now - self._seen) * self._rate, self._most)
        self._seen = now
        if self._left < 1:
            self.refused += 1
            return rate_limited()
        self._left -= 1
        return spoken("Good morning to you.")

    async def _count(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "requests": len(self.came),
                "refused": self.refused,
                "fullest_second": fullest(self.came, 1.0),
                "seconds": self.came[-1] - self.came[0] if self.came else 0.0,
            }
        )


def fullest(times: Sequence[float], seconds: float) -> int:
    """The most that came within so many seconds, whenever they begin."""
    most, first = 0, 0
    for last, came in enumerate(times):
        while times[first] <= came - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@contextmanager
def limited_model_process(port: int, per_minute: int) -> Iterator[str]:
    """Serve from a process of its own; gives its address."""
    with module_process("tests.bench.limited_model", port, "--per-minute", str(per_minute)):
        yield f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--per-minute", type=int, required=True)
    given = parser.parse_args()
    with served(LimitedModel(given.per_minute), given.port):
        threading.Event().wait()  # until killed
