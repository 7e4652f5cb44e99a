"""A connection to one model server: its HTTP client, its adapter, its list of models."""

import logging
import time
from collections.abc import Sequence
from typing import Any
from urllib.request import getproxies

import httpx2

from streamlit_assistant import __version__
from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import Provider
from streamlit_assistant.providers.chat_completions import ChatCompletionsProvider
from streamlit_assistant.providers.embeddings import Embedder
from streamlit_assistant.providers.quick_transport import QuickTransport
from streamlit_assistant.providers.upstream import DEFAULT_MODEL, ModelInfo, Upstream
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import JSON

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
CATALOGUE_KEPT_SECONDS = 30.0
# OpenRouter and most others, vLLM, LM Studio.
_CONTEXT_FIELDS = ("context_length", "max_model_len", "max_context_length")


class Connection:
    """One model server. `close` it at the end."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._explainer = Explainer(upstream.base_url, upstream.api_key)
        self._client = _client(upstream)
        self.provider: Provider = ChatCompletionsProvider(
            self._client, self._explainer, is_openai=upstream.is_openai
        )
        self._embedders: dict[str | None, Embedder] = {}
        self._models: Sequence[ModelInfo] = ()
        self._read_at = float("-inf")
        self._lacking: set[str] = set()  # models that were asked for and are not there
        self.seen = False  # whether it ever listed its models

    async def models(self, patience: float = CONNECT_SECONDS) -> Sequence[ModelInfo]:
        """Return what `GET /models` lists within `patience` seconds; raise `UpstreamError`."""
        if time.monotonic() - self._read_at > CATALOGUE_KEPT_SECONDS:
            try:
                response = await self._client.get("models", timeout=patience)
                self._models = _models(await self._explainer.read_json(response))
            except FAILURES as error:
                raise self._explainer.failure(error) from error
            self._read_at = time.monotonic()
            self.seen = True
        return self._models

    async def default_model(self) -> str:
        """Return the model of the settings, or the first that is listed."""
        if self.upstream.model is not None:
            return self.upstream.model
        models = await self.models()
        # Ollama lists embedding models among the others; they cannot chat.
        chat = [model.id for model in models if "embed" not in model.id.lower()]
        if not chat:
            raise UpstreamError(
                f"The model server at {self.upstream.base_url} lists no model: "
                "load one, or name one in OPENAI_MODEL."
            )
        return chat[0]

    async def resolve(self, model: str) -> str:
        """Return the model to ask for: the one named, unless its server is known to lack it.

        Programs written for OpenAI name OpenAI's models; they are answered by the default one.
        """
        if model == DEFAULT_MODEL:
            return await self.default_model()
        if self.upstream.lists_its_models:
            try:
                listed = {known.id for known in await self.models()}
            except UpstreamError:
                return model  # it may answer all the same
            if listed and model not in listed:
                default = await self.default_model()
                self._warn_once(model, default)
                return default
        return model

    def _warn_once(self, model: str, default: str) -> None:
        if model not in self._lacking:
            self._lacking.add(model)
            where = self.upstream.base_url
            logger.warning("%s has no model '%s'; '%s' answers instead", where, model, default)

    def context_tokens(self, model: str) -> int | None:
        """Return how much a model holds, if its server has said so by now."""
        return next((known.context_tokens for known in self._models if known.id == model), None)

    def embedder(self, model: str | None) -> Embedder:
        """Return who makes vectors here; `model` None: with the first model fit for it."""
        if model not in self._embedders:
            self._embedders[model] = Embedder(
                self._client, self._explainer, self.upstream, self.models, model
            )
        return self._embedders[model]

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._client.aclose()


def _client(upstream: Upstream) -> httpx2.AsyncClient:
    headers = {"User-Agent": f"streamlit-assistant/{__version__}"}
    if upstream.api_key:
        headers["Authorization"] = f"Bearer {upstream.api_key}"
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


def _models(body: Any) -> list[ModelInfo]:
    listed = body.get("data") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a list of models")
    return [
        _model(item)
        for item in listed
        if isinstance(item, dict) and isinstance(item.get("id"), str)
    ]


def _model(item: JSON) -> ModelInfo:
    created, owned_by = item.get("created"), item.get("owned_by")
    return ModelInfo(
        item["id"],
        created if isinstance(created, int) else 0,
        owned_by if isinstance(owned_by, str) and owned_by else "upstream",
        next((item[name] for name in _CONTEXT_FIELDS if type(item.get(name)) is int), None),
    )
