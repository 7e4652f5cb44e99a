"""The models that one server lists, read now and then."""

import time
from collections.abc import Callable, Sequence

import httpx2

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.model_list import read_models
from streamlit_assistant.providers.upstream import ModelInfo, Upstream
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import Clock

PATIENCE_SECONDS = 5.0
KEPT_SECONDS = 30.0
SILENT_SECONDS = 30.0  # for which one that did not answer in time is not asked by the way


class ListedModels:
    """What a server has, as far as it tells."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        explainer: Explainer,
        upstream: Upstream,
        heard: Callable[[Sequence[ModelInfo]], None],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """`heard` is told whenever the list was read."""
        self._client = client
        self._explainer = explainer
        self._upstream = upstream
        self._heard = heard
        self._clock = clock
        self._models: Sequence[ModelInfo] = ()
        self._read_at = float("-inf")
        self._silent_until = float("-inf")
        self.was_read = False

    async def read(self, patience: float = PATIENCE_SECONDS) -> Sequence[ModelInfo]:
        """Return what `GET /models` lists within `patience` seconds; raise `UpstreamError`."""
        # An empty list is not kept: whoever reads that there is no model loads one.
        if not self._models or self._clock() - self._read_at > KEPT_SECONDS:
            try:
                response = await self._client.get("models", timeout=patience)
                self._models = read_models(await self._explainer.read_json(response))
            except FAILURES as error:
                if isinstance(error, httpx2.TimeoutException) and patience >= PATIENCE_SECONDS:
                    self._silent_until = self._clock() + SILENT_SECONDS
                raise self._explainer.failure(error) from error
            self._read_at, self._silent_until = self._clock(), float("-inf")
            self.was_read = True
            self._heard(self._models)
        return self._models

    def known(self, model: str) -> ModelInfo | None:
        """Return what the list has said of a model."""
        # Ollama lists with its tag what it also answers to without.
        names = (model, f"{model}:latest")
        return next((known for known in self._models if known.id in names), None)

    async def lacks(self, model: str) -> bool:
        """Return whether the server is known not to have a model."""
        if not self._upstream.lists_its_models or self._clock() < self._silent_until:
            return False  # nobody waits for a list again and again
        try:
            return bool(await self.read()) and self.known(model) is None
        except UpstreamError:
            return False  # it may answer all the same

    async def default(self) -> str:
        """Return the model of the settings, or the first that is listed."""
        if self._upstream.model is not None:
            return self._upstream.model
        try:
            models = await self.read()
        except UpstreamError:
            if not self._models:
                raise
            models = self._models  # it may be back by the time it is asked
        # Ollama lists embedding models among the others; they cannot chat.
        chat = [model.id for model in models if "embed" not in model.id.lower()]
        if not chat:
            raise UpstreamError(
                f"The model server at {self._upstream.base_url} lists no model: "
                "load one, or name one in OPENAI_MODEL.",
                trouble=Trouble.ELSEWHERE,
            )
        return chat[0]
