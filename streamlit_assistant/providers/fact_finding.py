"""Finds out what a server tells of its models beside the list, without keeping anybody waiting."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2

from streamlit_assistant.providers.chat.dialects import Dialect
from streamlit_assistant.providers.errands import Errands
from streamlit_assistant.providers.listed_models import KEPT_SECONDS
from streamlit_assistant.providers.model_facts import Facts, Reader, reader_for
from streamlit_assistant.providers.upstream_failure import FAILURES
from streamlit_assistant.records import JSON, Clock

PATIENCE_SECONDS = 0.3  # of a run that begins; the asking itself goes on without it
ASKING_SECONDS = 3.0
UNLOADED_SECONDS = 2.0  # the run that was told so has the model loaded


class FactFinder:
    """What one server tells of its models. `close` it before its client."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        base_url: str,
        dialect: Callable[[], Dialect],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """`dialect` says what kind of server it is, as far as that is known by now."""
        self._client = client
        self._root = base_url.rstrip("/").removesuffix("/v1").rstrip("/")
        self._dialect = dialect
        self._clock = clock
        self._facts: dict[str, Facts] = {}
        self._fresh_until: dict[str, float] = {}
        self._loaded: dict[str, int] = {}  # how much each held when it was loaded last
        self._errands = Errands()

    def known(self, model: str) -> Facts:
        """Return what was told of a model by now."""
        return self._facts.get(model, Facts())

    def begin(self, model: str, *, anew: bool = False) -> None:
        """Begin to ask of a model; `anew`: even if that was done a moment ago."""
        reader = reader_for(self._dialect())
        is_fresh = self._clock() < self._fresh_until.get(model, float("-inf"))
        if reader is not None and (anew or not is_fresh):
            self._errands.begin(model, partial(self._read, model, reader))

    async def find(self, model: str, *, anew: bool = False) -> None:
        """Ask of a model, and wait a little for the answer; never raises."""
        self.begin(model, anew=anew)
        await self._errands.wait(model, PATIENCE_SECONDS)

    async def close(self) -> None:
        """Ask no more."""
        await self._errands.close()

    async def _read(self, model: str, reader: Reader) -> None:
        # Whatever comes of it: a server that does not answer is not to be asked by every run.
        self._fresh_until[model] = self._clock() + KEPT_SECONDS
        facts = await reader(self._ask, model)
        if facts is None:
            return
        tokens = facts.context_tokens
        if not facts.is_loaded:
            # It will be loaded as it was before, rather than with all that it was made for.
            tokens = self._loaded.get(model, tokens)
            self._fresh_until[model] = self._clock() + UNLOADED_SECONDS
        elif tokens is not None:
            self._loaded[model] = tokens
        self._facts[model] = Facts(tokens, facts.capabilities, facts.is_loaded)

    async def _ask(self, path: str, body: JSON | None) -> Any:
        """Return what the server answers, None if that is nothing of use."""
        method, address = "GET" if body is None else "POST", f"{self._root}/{path}"
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                response = await self._client.request(method, address, json=body)
            return response.json() if response.is_success else None
        except FAILURES:
            return None
