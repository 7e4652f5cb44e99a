"""What the server tells of itself at `/metrics`, in the format of Prometheus.

Every figure has a source, which is asked when somebody asks for the figures: nothing is counted
twice, and whoever wants to tell more adds a source. Figures of the site are the same in all its
processes; `assistant_process_…` and `process_…` are about the one that answers.
"""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streamlit_assistant import __version__
from streamlit_assistant.api import KeyRing
from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.errors import AssistantError
from streamlit_assistant.mirror.figures import MirrorFigures
from streamlit_assistant.records import Clock
from streamlit_assistant.runs.figures import Figures
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.store.run_queue import Load

LONGEST_WAIT = 2.0  # seconds for a source; who asks for figures waits ten for all of them

Source = Callable[[], Awaitable[Iterable[Metric]]]


class Metrics:
    """The endpoint, as an ASGI application. It asks for a key: the figures are nobody else's."""

    def __init__(self, keys: KeyRing, sources: Sequence[Source]) -> None:
        self._keys = keys
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with all figures as they are now."""
        request = Request(scope)
        try:
            self._keys.principal(request)
        except AssistantError as error:
            response: Response = await render_error(request, error)
        else:
            response = await self._figures(request.headers.get("accept", ""))
        await response(scope, receive, send)

    async def _figures(self, accepted: str) -> Response:
        encode, media_type = choose_encoder(accepted)
        text = encode(_Collected(await self._collect()))
        return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    async def _collect(self) -> list[Metric]:
        metrics: list[Metric] = []
        missing = 0
        for source in self._sources:
            try:
                async with asyncio.timeout(LONGEST_WAIT):
                    metrics += await source()
            except (TimeoutError, *PASSING):
                missing += 1
        # When the database is away, what the process knows by itself is wanted most.
        up = _gauge("database_up", "Whether the database answers in time.", missing == 0)
        return [up, *metrics]


class _Collected(Collector):
    """Figures that were asked for already: the library would not wait for ours."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def site_load(load: Callable[[], Awaitable[Load]], clock: Clock) -> Source:
    """How much the site has to do."""

    async def ask() -> Iterable[Metric]:
        now = await load()
        since = now.oldest_waiting_at
        return [
            _gauge("runs_waiting", "Runs that wait to be executed.", now.waiting),
            _gauge("runs_running", "Runs at work.", now.running),
            _gauge("people_with_runs", "People whose runs these are.", now.people),
            _gauge(
                "oldest_waiting_seconds",
                "How long the first of the runs that wait has done so.",
                0 if since is None else max(0.0, clock() - since),
            ),
        ]

    return ask


def living_processes(roles: Callable[[], Awaitable[Sequence[str]]]) -> Source:
    """How many processes the site has; `roles` tells the role of each."""

    async def ask() -> Iterable[Metric]:
        living = await roles()
        metric = GaugeMetricFamily("assistant_processes", "Living processes.", labels=["role"])
        for role in ("all", "api", "worker"):
            metric.add_metric([role], living.count(role))
        return [metric]

    return ask


def work_done(figures: Callable[[], Figures]) -> Source:
    """What this process has done and has in hand."""

    async def ask() -> Iterable[Metric]:
        mine = figures()
        ended = CounterMetricFamily(
            "assistant_process_runs_ended", "Runs ended by this process.", labels=["status"]
        )
        for status, count in sorted(mine.ended.items()):
            ended.add_metric([status], count)
        refused = "Runs this process refused because too many waited."
        return [
            ended,
            CounterMetricFamily("assistant_process_runs_refused", refused, value=mine.refused),
            _gauge("process_followers", "Streams this process sends.", mine.followers),
            _gauge(
                "process_unstored_events",
                "Events that followers have got and the database has not.",
                mine.unstored_events,
            ),
        ]

    return ask


def mirror_figures(read: Callable[[], Awaitable[Sequence[MirrorFigures]]]) -> Source:
    """How far the copies of the chats are, store by store."""

    async def ask() -> Iterable[Metric]:
        labels, prefix = ["target"], "assistant_mirror"
        pending = GaugeMetricFamily(
            f"{prefix}_pending", "Changes that a store has not got yet.", labels=labels
        )
        lag = GaugeMetricFamily(
            f"{prefix}_lag_seconds", "How long the oldest of them has waited.", labels=labels
        )
        up = GaugeMetricFamily(
            f"{prefix}_up", "Whether a store took what was brought to it last.", labels=labels
        )
        delivered = CounterMetricFamily(
            f"{prefix}_delivered", "Messages that a store has taken.", labels=labels
        )
        refused = CounterMetricFamily(
            f"{prefix}_refused", "Changes that a store will never take.", labels=labels
        )
        for mirror in await read():
            pending.add_metric([mirror.target], mirror.pending)
            lag.add_metric([mirror.target], mirror.lag_seconds)
            up.add_metric([mirror.target], not mirror.is_away)
            delivered.add_metric([mirror.target], mirror.delivered)
            refused.add_metric([mirror.target], mirror.refused)
        return [pending, lag, up, delivered, refused]

    return ask


def this_build() -> Source:
    """Which version this is, and what the system says of its process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    version = {"version": __version__, "python": platform.python_version()}

    async def ask() -> Iterable[Metric]:
        info = InfoMetricFamily("assistant_build", "What is running.", value=version)
        return [info, *registry.collect()]

    return ask


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"assistant_{name}", meaning, value=value)
