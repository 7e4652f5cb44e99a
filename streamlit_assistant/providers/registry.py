"""Which model server answers: settings first, then an Ollama on this machine, else offline."""

import asyncio
import importlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamlit_assistant.errors import Unreachable, UpstreamError
from streamlit_assistant.providers.answer_cache import KeptAnswers
from streamlit_assistant.providers.choice import ModelChoice
from streamlit_assistant.providers.known_capabilities import KeptReports, KnownCapabilities
from streamlit_assistant.providers.offline import OFFLINE_MODEL, OfflineProvider
from streamlit_assistant.providers.pacing import Pacer
from streamlit_assistant.providers.probing.probe import Subject
from streamlit_assistant.providers.probing.subject import connected_subject, offline_subject
from streamlit_assistant.providers.steadiness import Steadiness
from streamlit_assistant.providers.upstream import (
    OLLAMA_BASE_URL,
    ModelInfo,
    ProviderOptions,
    Upstream,
)
from streamlit_assistant.records import Clock

if TYPE_CHECKING:
    from streamlit_assistant.providers.connection import Connection
    from streamlit_assistant.providers.embeddings import Embedder
    from streamlit_assistant.providers.switchboard import Switchboard

_SWITCHBOARD = "streamlit_assistant.providers.switchboard"
PROBE_SECONDS = 1.0  # for an Ollama that may not be there
ABSENT_SECONDS = 1.0  # how long one that was not there is not looked for again


class ProviderRegistry:
    """Chooses who answers. `configure` may be called at any time; runs under way keep theirs."""

    def __init__(
        self,
        upstream: Upstream | None,
        *,
        local_base_url: str | None = OLLAMA_BASE_URL,
        embedding_model: str | None = None,
        options: ProviderOptions | None = None,
        pacer: Pacer | None = None,
        answer_cache: KeptAnswers | None = None,
        steadiness: Steadiness | None = None,
        clock: Clock = time.time,
    ) -> None:
        """`local_base_url` is where to look for a model server when none is configured.

        `embedding_model` None: the server's own, or the first it lists that looks like one.
        `pacer` and `answer_cache` are what all processes share; see `share`. `steadiness` is what
        the runs of this one share. `clock` gives Unix seconds.
        """
        self._configured = upstream
        self._options = options or ProviderOptions()
        self._local = Upstream(local_base_url) if local_base_url else None
        self._offline = OfflineProvider()
        self._embedding_model = embedding_model
        self._steadiness = steadiness or Steadiness()
        self._clock = clock
        self._board: Switchboard | None = None
        self._look_again = float("-inf")  # when, by the monotonic clock
        self.probed = KnownCapabilities()
        self.share(pacer or self._steadiness.pacer, answer_cache)

    def share(
        self,
        pacer: Pacer | None,
        answer_cache: KeptAnswers | None,
        reports: KeptReports | None = None,
    ) -> None:
        """Keep one pace and one memory with the other processes, from now on."""
        self._steadiness.pacer = pacer
        self._answer_cache = answer_cache
        self.probed.kept = reports

    def configure(self, upstream: Upstream | None, options: ProviderOptions | None = None) -> None:
        """Let new runs be answered by another model server; `options` None: as they were."""
        self._configured = upstream
        self._options = options or self._options

    async def close(self) -> None:
        """Close every connection."""
        await self.probed.close()
        if self._board is not None:
            await self._board.close()

    async def choose(self, model: str, fallbacks: Sequence[str] = ()) -> ModelChoice:
        """Return the provider for an assistant's model; see `ProviderSource`."""
        connection = await self._connection()
        if connection is None and not self._others:
            return ModelChoice(self._offline, OFFLINE_MODEL)
        board = await self._switchboard()
        return await board.choose(connection, model, fallbacks, self._options, self._answer_cache)

    async def models(self) -> Sequence[ModelInfo]:
        """Return the models that can be asked for now; raise `UpstreamError`."""
        connection = await self._connection()
        if connection is not None:
            return await connection.models()
        if self._others:
            return [ModelInfo(model, 0, "upstream") for model in self._others]
        return [ModelInfo(OFFLINE_MODEL, 0, "streamlit-assistant")]

    async def embedder(self) -> "Embedder | None":
        """Return who makes vectors for search; None without a model server."""
        connection = await self._connection()
        return None if connection is None else connection.embedder(self._embedding_model)

    async def subject(self) -> Subject:
        """Return who answers the runs that name no other model, to be tested; never raises."""
        connection = await self._connection()
        if connection is None:
            return offline_subject(self._offline)
        return await connected_subject(connection, self._embedding_model)

    async def summary(self) -> str:
        """Return a few words on who answers, for the person who starts the server."""
        connection = await self._connection()
        upstream = connection.upstream if connection else next(iter(self._others.values()), None)
        if upstream is None:
            return "no model connected (offline assistant)"
        return f"{upstream.base_url} ({upstream.model or 'its first model'})"

    @property
    def _others(self) -> dict[str, Upstream]:
        """The models that stand in from servers of their own."""
        named = self._options.stand_ins
        return {known.model: known.upstream for known in named if known.upstream is not None}

    async def _connection(self) -> "Connection | None":
        if self._configured is not None:
            return await self._connect(self._configured)
        if self._local is None or time.monotonic() < self._look_again:
            return None
        local = await self._connect(self._local)
        try:
            await local.models(PROBE_SECONDS)
        except Unreachable:
            self._look_again = time.monotonic() + ABSENT_SECONDS
            return None
        except UpstreamError:
            # Busy, or something else that listens there: only one that was known is believed in.
            return local if local.seen else None
        return local

    async def _connect(self, upstream: Upstream) -> "Connection":
        board = await self._switchboard()
        return board.connection(upstream, self._options.manner)

    async def _switchboard(self) -> "Switchboard":
        # In a thread: loading the HTTP client takes longer than a token may wait.
        module = await asyncio.to_thread(importlib.import_module, _SWITCHBOARD)
        if self._board is None:
            self._board = module.Switchboard(self._steadiness, self.probed, clock=self._clock)
        return self._board
