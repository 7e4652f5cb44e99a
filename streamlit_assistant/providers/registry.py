"""Which model server answers: settings first, then an Ollama on this machine, else offline."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import openai
from openai import AsyncOpenAI

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import ModelChoice, Provider
from streamlit_assistant.providers.chat_completions import ChatCompletionsProvider
from streamlit_assistant.providers.offline import OFFLINE_MODEL, OfflineProvider
from streamlit_assistant.providers.upstream_failure import explain

OPENAI_BASE_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-6-luna"
OLLAMA_BASE_URL = "http://127.0.0.1:11434/v1"

DEFAULT_MODEL = "default"  # an assistant with this model follows the server's settings
CONNECT_SECONDS = 5.0
READ_SECONDS = 600.0  # the adapter's own, finer patience decides before this
PROBE_SECONDS = 1.0  # for an Ollama that may not be there
CATALOGUE_KEPT_SECONDS = 30.0
_NO_KEY = "no-key-set"  # the client insists on one; servers without keys ignore it


@dataclass(frozen=True)
class Upstream:
    """Where a model server is and how to speak to it. `model` None: the first it lists."""

    base_url: str
    api_key: str | None = None
    model: str | None = None

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself, which accepts what others do not, and the reverse."""
        return self.base_url.startswith(OPENAI_BASE_URL.removesuffix("/v1"))

    def __repr__(self) -> str:
        return f"Upstream({self.base_url!r}, model={self.model!r})"


@dataclass(frozen=True)
class ModelInfo:
    """A model as the server's list names it; `created` in Unix seconds."""

    id: str
    created: int
    owned_by: str


def configured_upstream(
    api_key: str | None, base_url: str | None, model: str | None
) -> Upstream | None:
    """Return the model server that the settings name, or None."""
    if base_url is not None:
        return Upstream(base_url, api_key, model)
    if api_key is not None:
        return Upstream(OPENAI_BASE_URL, api_key, model or OPENAI_MODEL)
    return None


class _Connection:
    """A client of one model server, with its list of models remembered for a while."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.client = AsyncOpenAI(
            base_url=upstream.base_url,
            api_key=upstream.api_key or _NO_KEY,
            max_retries=0,  # a retry must be decided where the whole run is known
            timeout=openai.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        )
        self.provider: Provider = ChatCompletionsProvider(self.client, is_openai=upstream.is_openai)
        self._models: Sequence[ModelInfo] = ()
        self._read_at = float("-inf")

    async def models(self, patience: float = CONNECT_SECONDS) -> Sequence[ModelInfo]:
        """Return what `GET /models` lists within `patience` seconds; raise `UpstreamError`."""
        if time.monotonic() - self._read_at > CATALOGUE_KEPT_SECONDS:
            try:
                page = await self.client.models.list(timeout=patience)
            except (openai.OpenAIError, ValueError) as error:
                raise explain(error, self.upstream.base_url, self.client.api_key) from error
            self._models = [
                ModelInfo(m.id, m.created or 0, m.owned_by or "upstream") for m in page.data or ()
            ]
            self._read_at = time.monotonic()
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


class ProviderRegistry:
    """Chooses who answers. `configure` may be called at any time; runs under way keep theirs."""

    def __init__(
        self, upstream: Upstream | None, *, local_base_url: str | None = OLLAMA_BASE_URL
    ) -> None:
        """`local_base_url` is where to look for a model server when none is configured."""
        self._configured = _Connection(upstream) if upstream else None
        self._local = _Connection(Upstream(local_base_url)) if local_base_url else None
        self._offline = OfflineProvider()
        self._retired: list[_Connection] = []

    def configure(self, upstream: Upstream | None) -> None:
        """Let new runs be answered by another model server."""
        if self._configured is not None:
            if self._configured.upstream == upstream:
                return
            self._retired.append(self._configured)
        self._configured = _Connection(upstream) if upstream else None

    async def close(self) -> None:
        """Close every connection."""
        for connection in (self._configured, self._local, *self._retired):
            if connection is not None:
                await connection.client.close()

    async def choose(self, model: str) -> ModelChoice:
        """Return the provider for an assistant's model; see `ProviderSource`."""
        connection = await self._connection()
        if connection is None:
            return ModelChoice(self._offline, OFFLINE_MODEL)
        if model == DEFAULT_MODEL:
            model = await connection.default_model()
        return ModelChoice(connection.provider, model)

    async def models(self) -> Sequence[ModelInfo]:
        """Return the models that can be asked for now; raise `UpstreamError`."""
        connection = await self._connection()
        if connection is None:
            return [ModelInfo(OFFLINE_MODEL, 0, "streamlit-assistant")]
        return await connection.models()

    async def summary(self) -> str:
        """Return a few words on who answers, for the person who starts the server."""
        connection = await self._connection()
        if connection is None:
            return "no model connected (offline assistant)"
        upstream = connection.upstream
        return f"{upstream.base_url} ({upstream.model or 'its first model'})"

    async def _connection(self) -> _Connection | None:
        if self._configured is not None or self._local is None:
            return self._configured
        try:
            await self._local.models(PROBE_SECONDS)
        except UpstreamError:
            return None
        return self._local
