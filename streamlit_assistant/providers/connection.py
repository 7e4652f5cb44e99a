"""A connection to one model server: its HTTP client, its adapter, its list of models."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.request import getproxies

import httpx2

from streamlit_assistant import __version__
from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import Provider
from streamlit_assistant.providers.candidates import FILES, Abilities
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.chat.dialects import UNKNOWN, Dialect, dialect_of
from streamlit_assistant.providers.choice import CodeHost
from streamlit_assistant.providers.embeddings import Embedder
from streamlit_assistant.providers.fact_finding import FactFinder
from streamlit_assistant.providers.listed_models import PATIENCE_SECONDS, ListedModels
from streamlit_assistant.providers.model_resolution import Resolved, Resolver
from streamlit_assistant.providers.quick_transport import QuickTransport
from streamlit_assistant.providers.responses.api import ResponsesProvider
from streamlit_assistant.providers.responses.containers import Containers
from streamlit_assistant.providers.upstream import (
    DEFAULT_MODEL,
    Api,
    Manner,
    ModelInfo,
    Upstream,
)
from streamlit_assistant.providers.upstream_failure import Explainer
from streamlit_assistant.records import Clock

CONNECT_SECONDS = 5.0
GLANCE_SECONDS = 1.0  # for the list of a server that is to answer in place of another one
SILENCE_SECONDS = 120.0


class Connection:
    """One model server. `close` it at the end."""

    def __init__(
        self, upstream: Upstream, manner: Manner | None = None, *, clock: Clock = time.time
    ) -> None:
        """`clock` gives Unix seconds."""
        self.upstream = upstream
        self._explainer = Explainer(
            upstream.base_url, upstream.api_key, setting=upstream.setting, clock=clock
        )
        self._client = _client(upstream)
        self._manner = manner or Manner()
        self.api: Api = self._manner.api or ("responses" if upstream.hosts_tools else "chat")
        self._dialect = dialect_of(upstream.base_url)
        self.provider = self._adapter()
        self._models = ListedModels(self._client, self._explainer, upstream, self._heard)
        self._facts = FactFinder(self._client, upstream.base_url, self._spoken)
        self._resolver = Resolver(upstream, self._models, clock=clock)
        self._embedders: dict[str | None, Embedder] = {}

    @property
    def server(self) -> str:
        """The name by which it is known to whoever remembers something of it."""
        return self.upstream.base_url

    @property
    def seen(self) -> bool:
        """Whether it ever listed its models."""
        return self._models.was_read

    @property
    def hosts_tools(self) -> bool:
        """Whether it executes tools of the Responses API."""
        return self.api == "responses" and self.upstream.hosts_tools

    @property
    def code_host(self) -> CodeHost | None:
        """Where its code interpreter can be given files."""
        if not self.hosts_tools:
            return None
        return Containers(self._client, self._explainer, self.server)

    async def models(self, patience: float = PATIENCE_SECONDS) -> Sequence[ModelInfo]:
        """Return what `GET /models` lists within `patience` seconds; raise `UpstreamError`."""
        return await self._models.read(patience)

    async def default_model(self) -> str:
        """Return the model of the settings, or the first that is listed."""
        return await self._models.default()

    async def resolve(self, model: str, aliases: Mapping[str, str] | None = None) -> Resolved:
        """Return the model to ask for; see `Resolver`."""
        return await self._resolver.resolve(model, aliases or {})

    async def lacks(self, model: str) -> bool:
        """Return whether the server is known not to have a model."""
        return await self._models.lacks(model)

    def knows(self, model: str) -> bool:
        """Return whether it is known to have a model, as far as anybody has looked."""
        return model == self.upstream.model or self._models.known(model) is not None

    async def glance(self) -> None:
        """Read the list of models if that is quickly done, for what it tells of them."""
        if self.upstream.lists_its_models:
            with suppress(UpstreamError):
                await self.models(GLANCE_SECONDS)

    def expect(self, model: str) -> None:
        """Begin to learn of the model that will be asked, beside what else is to be found out."""
        likely = self.upstream.model if model == DEFAULT_MODEL else model
        if likely is not None and self.knows(likely):
            self._facts.begin(likely)

    async def learn(self, model: str, *, anew: bool = False) -> None:
        """Ask what the server tells of a model beside the list; never raises, never takes long.

        `anew`: even if that was done a moment ago.
        """
        await self._facts.find(model, anew=anew)

    def abilities(self, model: str) -> Abilities:
        """Return what is known of a model by now."""
        known, facts = self._models.known(model), self._facts.known(model)
        listed = None if known is None else known.capabilities
        told = facts.capabilities if listed is None else listed
        context_tokens = facts.context_tokens
        if context_tokens is None and known is not None:
            context_tokens = known.context_tokens
        return Abilities(
            capabilities=told,
            context_tokens=context_tokens,
            hosts_tools=self.hosts_tools,
            reads_files=self._reads_files or (told is not None and FILES in told),
        )

    def context_tokens(self, model: str) -> int | None:
        """Return how much a model holds, if its server has said so by now."""
        return self.abilities(model).context_tokens

    def embedder(self, model: str | None) -> Embedder:
        """Return who makes vectors here; `model` None: with the first model fit for it."""
        if model not in self._embedders:
            self._embedders[model] = Embedder(
                self._client, self._explainer, self.upstream, self.models, model
            )
        return self._embedders[model]

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._facts.close()
        await self._client.aclose()

    @property
    def _reads_files(self) -> bool:
        if isinstance(self.provider, ChatCompletionsProvider):
            return self.provider.dialect.reads_files
        return self.upstream.hosts_tools

    def _adapter(self) -> Provider:
        manner, dialect = self._manner, self._dialect
        silence = manner.silence_seconds or SILENCE_SECONDS
        if self.api == "chat":
            return ChatCompletionsProvider(
                self._client,
                self._explainer,
                dialect=dialect,
                server=self.server,
                first_token_seconds=manner.first_token_seconds,
                silence_seconds=silence,
            )
        hosted = self.upstream.hosts_tools
        return ResponsesProvider(
            self._client,
            self._explainer,
            server=self.server,
            hosts_tools=hosted,
            background=hosted if manner.background is None else manner.background,
            first_token_seconds=manner.first_token_seconds or dialect.first_token_seconds,
            silence_seconds=silence,
        )

    def _heard(self, models: Sequence[ModelInfo]) -> None:
        """Learn from the list how the server speaks."""
        dialect = dialect_of(self.upstream.base_url, [known.owned_by for known in models])
        if dialect is not UNKNOWN:
            self._dialect = dialect
            if isinstance(self.provider, ChatCompletionsProvider):
                self.provider.dialect = dialect

    def _spoken(self) -> Dialect:
        # How answers are signed may have told more than the list.
        if isinstance(self.provider, ChatCompletionsProvider):
            return self.provider.dialect
        return self._dialect


def _client(upstream: Upstream) -> httpx2.AsyncClient:
    headers = {"User-Agent": f"streamlit-assistant/{__version__}"}
    if upstream.api_key:
        headers["Authorization"] = f"Bearer {upstream.api_key}"
        if upstream.is_azure:
            headers["api-key"] = upstream.api_key  # where the other is for people's tokens
    return httpx2.AsyncClient(
        base_url=upstream.base_url,
        headers=headers,
        # No limit on reading: the adapter knows how long a model may think.
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=True,
        transport=_transport(upstream),
        limits=httpx2.Limits(max_connections=None),
    )


def _transport(upstream: Upstream) -> httpx2.AsyncBaseTransport | None:
    # A proxy of the environment is for the world outside; httpx knows how to speak to it.
    if not upstream.is_local and getproxies():
        return None
    return QuickTransport(is_encrypted=upstream.base_url.startswith("https:"))
