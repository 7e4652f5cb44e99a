"""Which model server answers: settings first, then an Ollama on this machine, else offline."""

import asyncio
import importlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamlit_assistant.errors import Unreachable, UpstreamError
from streamlit_assistant.providers.base import ModelChoice
from streamlit_assistant.providers.offline import OFFLINE_MODEL, OfflineProvider
from streamlit_assistant.providers.upstream import (
    OLLAMA_BASE_URL,
    ModelInfo,
    Upstream,
)

if TYPE_CHECKING:
    from streamlit_assistant.providers.connection import Connection
    from streamlit_assistant.providers.embeddings import Embedder

_CONNECTION = "streamlit_assistant.providers.connection"
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
    ) -> None:
        """`local_base_url` is where to look for a model server when none is configured.

        `embedding_model` None: the server's own, or the first it lists that looks like one.
        """
        self._configured = upstream
        self._local = Upstream(local_base_url) if local_base_url else None
        self._connections: dict[Upstream, Connection] = {}
        self._offline = OfflineProvider()
        self._embedding_model = embedding_model
        self._look_again = float("-inf")  # when, by the monotonic clock

    def configure(self, upstream: Upstream | None) -> None:
        """Let new runs be answered by another model server."""
        self._configured = upstream

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            await connection.close()

    async def choose(self, model: str, fallbacks: Sequence[str] = ()) -> ModelChoice:
        """Return the provider for an assistant's model; see `ProviderSource`."""
        connection = await self._connection()
        if connection is None:
            return ModelChoice(self._offline, OFFLINE_MODEL)
        model = await connection.resolve(model)
        return ModelChoice(connection.provider, model, connection.context_tokens(model))

    async def models(self) -> Sequence[ModelInfo]:
        """Return the models that can be asked for now; raise `UpstreamError`."""
        connection = await self._connection()
        if connection is None:
            return [ModelInfo(OFFLINE_MODEL, 0, "streamlit-assistant")]
        return await connection.models()

    async def embedder(self) -> "Embedder | None":
        """Return who makes vectors for search; None without a model server."""
        connection = await self._connection()
        return None if connection is None else connection.embedder(self._embedding_model)

    async def summary(self) -> str:
        """Return a few words on who answers, for the person who starts the server."""
        connection = await self._connection()
        if connection is None:
            return "no model connected (offline assistant)"
        upstream = connection.upstream
        return f"{upstream.base_url} ({upstream.model or 'its first model'})"

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
        # In a thread: loading the HTTP client takes longer than a token may wait.
        module = await asyncio.to_thread(importlib.import_module, _CONNECTION)
        if upstream not in self._connections:
            self._connections[upstream] = module.Connection(upstream)
        return self._connections[upstream]
