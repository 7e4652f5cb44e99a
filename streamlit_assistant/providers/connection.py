"""A connection to one model server: its client, its adapter, its list of models.

Only this module and what it imports know the `openai` library, which takes longer to load than
all the rest; the registry loads it beside the start of the server.
"""

import time
from collections.abc import Sequence

import openai
from openai import AsyncOpenAI

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import Provider
from streamlit_assistant.providers.chat_completions import ChatCompletionsProvider
from streamlit_assistant.providers.upstream import ModelInfo, Upstream
from streamlit_assistant.providers.upstream_failure import explain

CONNECT_SECONDS = 5.0
READ_SECONDS = 600.0  # the adapter's own, finer patience decides before this
CATALOGUE_KEPT_SECONDS = 30.0
_NO_KEY = "no-key-set"  # the client insists on one; servers without keys ignore it


class Connection:
    """One model server. `close` it at the end."""

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

    async def close(self) -> None:
        """Close the connections to the server."""
        await self.client.close()
