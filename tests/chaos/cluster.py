"""The processes of one site, which come and go, and how the people of the tests ask them."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2

from tests.chaos.zygote import SiteProcess, Zygote
from tests.conftest import API_KEY

PATIENCE = 15.0  # seconds within which a run must be settled after whatever happened
LONGEST_SILENCE = 60.0  # seconds until somebody must have answered
AGAIN = 0.02  # seconds until a process that did not answer is asked again
NOT_NOW = (502, 503)  # a process that starts or ends, or a database that is away
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Place:
    """Where a process is started, time and again: its settings, its log, its port."""

    settings: Mapping[str, Any]
    log: Path
    port: int = 0


class Cluster:
    """A site's processes. `any_url` is whichever of them a load balancer would choose."""

    def __init__(
        self,
        zygote: Zygote,
        places: Sequence[Place],
        seed: int,
        pace: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.random = random.Random(seed)
        self.disturbed_at = time.monotonic()
        self._zygote = zygote
        self._pace = pace
        self._places = list(places)
        self.processes = [self._start(place) for place in places]
        self._steps = 0
        self._awaited = 0
        self._reached = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def _start(self, place: Place) -> SiteProcess:
        return self._zygote.start(place.settings, self._pace, place.log, place.port)

    async def until_healthy(self) -> None:
        """Wait until every process answers."""
        for process in self.processes:
            await asyncio.to_thread(process.wait_until_healthy)

    def url(self, which: int) -> str:
        """Where one process is asked."""
        return self.processes[which].url

    def any_url(self) -> str:
        """Where the next request goes."""
        return self.random.choice(self.processes).url

    def disturb(self) -> None:
        """Note that something was broken just now; runs have `PATIENCE` to get over it."""
        self.disturbed_at = time.monotonic()

    async def kill(self, which: int) -> None:
        """Kill a process; its place stays empty."""
        await asyncio.to_thread(self.processes[which].kill)
        self.disturb()

    async def start_again(self, which: int) -> None:
        """Fill the place of a process that has ended; at the same port, as a service would."""
        port = self.processes[which].port
        place = self._places[which]
        self.processes[which] = self._start(Place(place.settings, place.log, port))
        await asyncio.to_thread(self.processes[which].wait_until_healthy)

    def step(self) -> None:
        """Note that something has happened: an event was seen, a request made or answered.

        The model server's thread notes things as well.
        """
        self._steps += 1
        if self._steps == self._awaited:
            self._loop.call_soon_threadsafe(self._reached.set)

    async def steps(self, number: int) -> None:
        """Wait until so much has happened: moments that do not depend on the machine's speed."""
        self._reached.clear()
        self._awaited = self._steps + number
        await self._reached.wait()


class Caller:
    """A program that uses the site, and that asks again where it gets no answer."""

    def __init__(
        self, cluster: Cluster, http: httpx2.AsyncClient, which: int | None = None
    ) -> None:
        """`which` is the one process it asks; None stands for any of them."""
        self.cluster = cluster
        self.http = http
        self._which = which
        self._keys = count(1)
        self._name = f"{cluster.random.getrandbits(64):x}"

    def of(self, which: int) -> "Caller":
        """Return one that only asks this process."""
        return Caller(self.cluster, self.http, which)

    @property
    def url(self) -> str:
        """Where the next request goes."""
        return self.cluster.any_url() if self._which is None else self.cluster.url(self._which)

    def new_key(self) -> str:
        """Return a key that makes a POST safe to repeat."""
        return f"{self._name}-{next(self._keys)}"

    async def get(self, path: str) -> Any:
        """Return what is there."""
        return await self._answer("GET", path)

    async def post(self, path: str, body: Any) -> Any:
        """Have something done, once, however often it has to be said."""
        return await self._answer("POST", path, body, {"Idempotency-Key": self.new_key()})

    async def once(self, path: str, body: Any) -> httpx2.Response | None:
        """Say it once, without a key; return None where nobody knows what came of it."""
        return await self._try("POST", path, body)

    async def _answer(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = NOTHING
    ) -> Any:
        deadline = time.monotonic() + LONGEST_SILENCE
        while (answer := await self._try(method, path, body, headers)) is None:
            assert time.monotonic() < deadline, f"nobody answers {method} {path}"
            await asyncio.sleep(AGAIN)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        return answer.json()

    async def _try(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = NOTHING
    ) -> httpx2.Response | None:
        # Looking changes nothing: a process that is killed then was doing something else.
        step = self.cluster.step if method == "POST" else lambda: None
        step()
        try:
            answer = await self.http.request(method, self.url + path, json=body, headers=headers)
        except httpx2.TransportError:
            return None
        finally:
            step()
        return None if answer.status_code in NOT_NOW else answer


@asynccontextmanager
async def caller(cluster: Cluster) -> AsyncIterator[Caller]:
    """Somebody who asks the processes of a cluster."""
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=httpx2.Timeout(60.0, connect=2.0),
        limits=httpx2.Limits(max_connections=None),
        trust_env=False,
    ) as http:
        yield Caller(cluster, http)
