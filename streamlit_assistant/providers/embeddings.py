"""Embeddings of a model server that has them; one that has none is not asked again for a while."""

import asyncio
import json
import logging
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import httpx2
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.upstream import ModelInfo, Upstream
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import JSON, Clock

OPENAI_EMBEDDING_MODEL = "text-embedding-3-large"
OPENAI_DIMENSIONS = 256  # as OpenAI's own file search
MOST_INPUTS = 96  # a request
SECONDS = 60.0  # for one request; a model may have to be loaded first
ATTEMPTS = 3
NONE_SECONDS = 300.0  # before a server without embeddings is asked again
FAILED_SECONDS = 30.0  # the same for one that failed
_HAS_NONE = (400, 404, 405, 410, 422, 501)
_TEXT_REFUSED = (400, 413, 422)  # from a server that has embeddings: the text is too long for it
_MOST = 1e18  # of a figure in a vector: the squares of thousands of them are still a float32

# As figures of Python's own they take eight times the room.
Vector: TypeAlias = "array[float]"

logger = logging.getLogger(__name__)


class Embedder:
    """Turns texts into vectors with a model of one server."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        explainer: Explainer,
        upstream: Upstream,
        models: Callable[[], Awaitable[Sequence[ModelInfo]]],
        model: str | None = None,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """`models` lists those of the server, for where none is named by `model`."""
        self._client = client
        self._explainer = explainer
        self._upstream = upstream
        self._models = models
        self._named = model
        self._clock = clock
        self._rests_until = float("-inf")
        self._has_answered = False
        self.trouble: str | None = None  # why there are no vectors, if there are none

    async def model(self) -> str | None:
        """Return which model makes the vectors, or None while there is none to be had.

        Vectors are comparable only with those of the same name.
        """
        name = await self._model() if self._clock() >= self._rests_until else None
        if name is None or (dimensions := self._dimensions(name)) is None:
            return name
        return f"{name}/{dimensions}"

    async def embed(
        self, texts: Sequence[str], *, attempts: int = ATTEMPTS, seconds: float = SECONDS
    ) -> list[Vector] | None:
        """Return a vector for each text, or None where the server gives none."""
        model = await self._model() if self._clock() >= self._rests_until else None
        if model is None:
            return None
        vectors: list[Vector] = []
        try:
            for at in range(0, len(texts), MOST_INPUTS):
                body = self._body(model, texts[at : at + MOST_INPUTS])
                vectors += await self._try(body, attempts, seconds)
            if len({len(vector) for vector in vectors}) > 1:
                raise self._explainer.failure(ValueError("vectors of several sizes"))
        except _NoneHere as reason:
            if self._has_answered and reason.status in _TEXT_REFUSED:
                # Not its words: they may be the text.
                logger.warning("a text was refused by the embedding model: %s", reason.status)
                self.trouble = str(reason)
                return None
            self._rest(NONE_SECONDS, str(reason))
            return None
        except UpstreamError as error:
            self._rest(FAILED_SECONDS, error.message)
            return None
        self._has_answered = True
        self.trouble = None
        return vectors

    async def _model(self) -> str | None:
        self.trouble = None
        if self._named is not None:
            return self._named
        if self._upstream.is_openai:
            return OPENAI_EMBEDDING_MODEL
        try:
            listed = await self._models()
        except UpstreamError as error:
            self._rest(FAILED_SECONDS, error.message)
            return None
        return next((model.id for model in listed if "embed" in model.id.lower()), None)

    def _dimensions(self, model: str) -> int | None:
        # Other servers do not know the parameter, nor do other models of OpenAI.
        chosen = self._upstream.is_openai and model.startswith("text-embedding-3")
        return OPENAI_DIMENSIONS if chosen else None

    def _body(self, model: str, texts: Sequence[str]) -> JSON:
        body: JSON = {"model": model, "input": list(texts), "encoding_format": "float"}
        dimensions = self._dimensions(model)
        return body if dimensions is None else {**body, "dimensions": dimensions}

    async def _try(self, body: JSON, attempts: int, seconds: float) -> list[Vector]:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(UpstreamError),
            stop=stop_after_attempt(attempts),
            wait=wait_exponential_jitter(multiplier=0.5, max=8),
            reraise=True,
        ):
            with attempt:
                return await self._post(body, seconds)
        raise AssertionError("an attempt returns or raises")

    async def _post(self, body: JSON, seconds: float) -> list[Vector]:
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.post("embeddings", json=body)
                if response.status_code in (*_HAS_NONE, *_TEXT_REFUSED):
                    raise _NoneHere(response.status_code, await self._complaint(response))
                if not response.is_success:
                    await self._explainer.read_json(response)
            # In a thread: a hundred vectors are megabytes of figures.
            return await asyncio.to_thread(_vectors, response.content, len(body["input"]))
        except FAILURES as error:
            raise self._explainer.failure(error) from error

    async def _complaint(self, response: httpx2.Response) -> str:
        try:
            await self._explainer.read_json(response)
        except UpstreamError as error:
            return error.message
        raise AssertionError("a response that is refused explains itself")

    def _rest(self, seconds: float, reason: str) -> None:
        self.trouble = reason
        if self._clock() >= self._rests_until:
            logger.warning(
                "no embeddings from %s for %d seconds, searching by words alone: %s",
                *(self._upstream.base_url, seconds, reason),
            )
        self._rests_until = self._clock() + seconds


class _NoneHere(Exception):
    """The server does not know the request, or not the model; with its words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def _vectors(content: bytes, count: int) -> list[Vector]:
    body: Any = json.loads(content)
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ValueError("not a list of vectors")
    places = [item.get("index", at) for at, item in enumerate(data)]
    if not all(type(place) is int for place in places) or sorted(places) != list(range(count)):
        raise ValueError("not a vector for each text")
    vectors: list[Any] = [None] * count
    for place, item in zip(places, data, strict=True):
        vectors[place] = item.get("embedding")
    sizes = {len(vector) if isinstance(vector, list) else 0 for vector in vectors}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError("vectors of several sizes")
    if not all(_is_number(value) for vector in vectors for value in vector):
        raise ValueError("vectors of something else than numbers")
    return [array("f", vector) for vector in vectors]


def _is_number(value: object) -> bool:
    # So that not a number is refused as well: it is neither more nor less.
    return isinstance(value, int | float) and type(value) is not bool and -_MOST < value < _MOST
