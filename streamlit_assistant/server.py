"""The async column as one object: data folder, store, providers, executor, API.

It knows neither Streamlit nor the page. `main.py` opens it in the lifespan of the process.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from streamlit_assistant.api import KeyRing, Strictness, create_api, hash_key
from streamlit_assistant.api.mounting import ApiMount, Deferred
from streamlit_assistant.data_folder import DataFolder, new_key
from streamlit_assistant.errors import NotFound, StartError
from streamlit_assistant.files.documents import Documents
from streamlit_assistant.metrics import (
    Metrics,
    living_processes,
    mirror_figures,
    site_load,
    this_build,
    work_done,
)
from streamlit_assistant.mirror import Mirroring, Target, mirror_targets
from streamlit_assistant.personas import DEFAULT_ASSISTANT_ID, default_assistant
from streamlit_assistant.providers import ProviderRegistry
from streamlit_assistant.providers.model_settings import options_of, upstream_of
from streamlit_assistant.providers.steadiness import Steadiness
from streamlit_assistant.providers.upstream import OLLAMA_BASE_URL
from streamlit_assistant.records import Clock
from streamlit_assistant.runs import EventHub, Pace, RunExecutor
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.runs.upstream_state import (
    RateLimits,
    SharedAnswers,
    SharedPacer,
    SharedReports,
)
from streamlit_assistant.settings import Settings
from streamlit_assistant.store import Limits, Store, site_url
from streamlit_assistant.tools.toolbox import Toolbox

OWNER = "owner"  # the one principal of a site without sign-in

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FirstStart:
    """What was made on the first start and is shown only then."""

    api_key: str


class Server:
    """The server column of one process: `prepare` first, then `running` in the lifespan."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = time.time,
        local_base_url: str | None = OLLAMA_BASE_URL,
        pace: Pace | None = None,
        steadiness: Steadiness | None = None,
    ) -> None:
        """`local_base_url` is where to look for a model server when none is configured.

        `pace` and `steadiness` say how long is waited for other processes and for model servers.
        """
        self._settings = settings
        self._model_settings = settings  # those about model servers may change while it runs
        self._pace = replace(pace or Pace(), drain=settings.drain_seconds)
        self._clock = clock
        self._folder = DataFolder(settings.data_dir, settings.database_url)
        self._providers = ProviderRegistry(
            upstream_of(settings),
            local_base_url=local_base_url,
            embedding_model=settings.embedding_model,
            options=options_of(settings),
            steadiness=steadiness,
        )
        self._api = Deferred()
        self._metrics = Deferred()
        self._site_key = ""
        self._targets: tuple[Target, ...] = ()
        self._mirroring: Mirroring | None = None
        self._executor: RunExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self.first_start: FirstStart | None = None  # known once `running`

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes beside the page, as far as the role of the process has them."""
        shared: list[BaseRoute] = [
            Route("/healthz", self._health),
            Route("/metrics", self._metrics),
        ]
        if self._settings.role == "worker":
            return shared
        return [*shared, ApiMount("/v1", self._api)]

    @property
    def site_key(self) -> str:
        """The key with which the page calls the API; known once prepared."""
        return self._site_key

    def prepare(self) -> None:
        """Make and lock the data folder; raise `StartError` in plain words."""
        self._targets = mirror_targets(self._settings.history_urls)
        self._folder.open()
        self._site_key = self._folder.site_key()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve: what is opened here is closed here, whatever happens in between."""
        self._loop = asyncio.get_running_loop()
        store = Store(site_url(self._settings.database_url, self._folder.database), self._clock)
        self._share(store)
        hub = EventHub(store, self._pace)
        documents, executor = self._workers(store, hub)
        mirroring = self._mirrored(store, executor)
        try:
            await store.open()
            await documents.open()
            await self._ensure_assistant(store)
            keys = await self._keys(store)
            await executor.start()
            mirroring.start()
            self._executor, self._mirroring = executor, mirroring
            self._metrics.app = self._measured(store, hub, executor, mirroring, keys)
            self._api.app = self._served(store, hub, executor, documents, keys)
            async with documents.working(indexing=self._settings.role != "api"):
                yield
        finally:
            self._executor = self._mirroring = None
            await executor.stop()
            await mirroring.stop()
            await self._providers.close()
            await store.close()
            self._folder.close()

    def _workers(self, store: Store, hub: EventHub) -> tuple[Documents, RunExecutor]:
        folder = self._settings.data_dir / "files"
        documents = Documents(
            folder, store, self._providers, self._clock, lambda: executor.membership.name
        )
        executor = RunExecutor(
            store,
            hub,
            self._providers,
            Toolbox(documents.search, documents.indexer, documents.images, documents.library),
            self._clock,
            role=self._settings.role,
            limits=_limits(self._settings),
            pace=self._pace,
        )
        return documents, executor

    def _served(
        self,
        store: Store,
        hub: EventHub,
        executor: RunExecutor,
        documents: Documents,
        keys: KeyRing,
    ) -> ASGIApp:
        return create_api(
            store=store,
            executor=executor,
            hub=hub,
            providers=self._providers,
            documents=documents,
            keys=keys,
            clock=self._clock,
            strictness=_strictness(self._settings),
            run_seconds=self._settings.run_seconds,
            hosted_tools=self._settings.hosted_tools,
            restore=partial(self._restore_assistant, store),
        )

    def _mirrored(self, store: Store, executor: RunExecutor) -> Mirroring:
        return Mirroring(
            store,
            self._targets,
            executor.membership.current_name,
            self._clock,
            works=executor.membership.works,
            look=self._pace.look,
            longest_pause=self._pace.mirror_pause,
            passing=PASSING,
        )

    def _measured(
        self,
        store: Store,
        hub: EventHub,
        executor: RunExecutor,
        mirroring: Mirroring,
        keys: KeyRing,
    ) -> Metrics:
        async def roles() -> list[str]:
            return [process.role for process in await store.executors.all() if not process.is_late]

        sources = [
            site_load(store.queue.load, self._clock),
            living_processes(roles),
            work_done(lambda: executor.figures(hub.followers)),
            mirror_figures(mirroring.figures.read),
            this_build(),
        ]
        return Metrics(keys, sources)

    async def has_worker(self) -> bool:
        """Return whether any process, this or another one, executes runs."""
        return self._executor is not None and self._executor.membership.working > 0

    def begin_drain(self) -> None:
        """Save running answers and end every follower. May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain)

    def reload(self, settings: Settings) -> None:
        """Let new runs use other upstream settings. May be called from any thread."""
        self._model_settings = settings
        if self._loop is not None:
            configure = self._providers.configure
            upstream, options = upstream_of(settings), options_of(settings)
            self._loop.call_soon_threadsafe(configure, upstream, options)

    async def upstream_summary(self) -> str:
        """Return who answers, in a few words."""
        return await self._providers.summary()

    def _share(self, store: Store) -> None:
        self._providers.share(
            SharedPacer(store.upstream_rates, self._rate_limits),
            SharedAnswers(store.answer_cache),
            SharedReports(store.model_reports),
        )

    def _rate_limits(self) -> RateLimits:
        now = self._model_settings
        return RateLimits(now.requests_per_minute, now.tokens_per_minute)

    def _drain(self) -> None:
        if self._executor is not None and self._draining is None:
            self._draining = asyncio.ensure_future(self._executor.stop())

    async def _ensure_assistant(self, store: Store) -> None:
        wanted = self._settings.openai_assistant_id or DEFAULT_ASSISTANT_ID
        await self._restore_assistant(store)
        try:
            await store.assistants.get(OWNER, wanted)
        except NotFound as error:
            raise StartError(
                f"OPENAI_ASSISTANT_ID: this server has no assistant '{wanted}'; "
                "leave the setting out to use the default one, or create it through /v1 first."
            ) from error

    async def _restore_assistant(self, store: Store) -> None:
        await store.assistants.restore(default_assistant(OWNER, int(self._clock())))

    async def _keys(self, store: Store) -> KeyRing:
        owners = {hash_key(self._site_key): OWNER}
        own = self._settings.assistant_api_key
        if own is not None:
            return KeyRing(owners | {hash_key(own): OWNER})
        key = new_key()
        if await store.api_keys.ensure_first(OWNER, "first", hash_key(key)):
            self.first_start = FirstStart(key)
        return KeyRing(owners | await store.api_keys.owners())

    async def _health(self, _request: Request) -> JSONResponse:
        serving = self._executor is not None and not self._executor.draining
        mirrors = await self._mirroring.figures.told(PASSING) if self._mirroring else []
        told = {"status": "ok" if serving else "ending"} | ({"mirrors": mirrors} if mirrors else {})
        return JSONResponse(told, 200 if serving else 503)


def _limits(settings: Settings) -> Limits:
    return Limits(
        at_work=settings.max_runs,
        at_work_of_one=settings.max_runs_per_user,
        waiting=settings.max_queued_runs,
        waiting_of_one=settings.max_queued_runs_per_user,
    )


def _strictness(settings: Settings) -> Strictness:
    return Strictness(settings.strict_ids, settings.require_beta_header)
