"""The answer cache: who asks the very same of a model within a while is answered from memory."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Protocol

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import (
    Answering,
    Begun,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    Noticed,
    Provider,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.kept_deltas import decoded, encoded
from streamlit_assistant.records import JSON

LARGEST = 1_000_000  # bytes of an answer worth keeping
# Not asked of the model: ids for logs, and an answer that is under way already.
_UNASKED = ("trace", "resume", "private")
_WHOLE = (FinishReason.STOP, FinishReason.TOOL_CALLS)
_NOTICE = Noticed(
    "cached", "The same was asked a short while ago: this answer is the one that was given then."
)


class KeptAnswers(Protocol):
    """Where answers are kept, by the hash of what was asked. It never fails: it forgets instead."""

    async def get(self, key: str) -> Sequence[JSON] | None:
        """Return what is kept under the key."""
        ...

    async def put(self, key: str, deltas: Sequence[JSON], seconds: int) -> None:
        """Keep an answer for so many seconds."""
        ...


class CachedProvider:
    """Answers what was asked before as it was answered then; all else is the provider's.

    What the model server does beyond answering is never left out: requests with hosted tools are
    always asked, and so are private ones, of which nothing is to be kept. Made for one run: once
    another model stands in for it, nothing is kept.
    """

    def __init__(
        self, provider: Provider, kept: KeptAnswers, seconds: int, server: str, model: str
    ) -> None:
        """`seconds` is how long an answer is kept; 0: not at all."""
        self._provider = provider
        self._kept = kept
        self._seconds = seconds
        self._server = server
        self._model = model
        self._is_own = True  # the model itself answers, at its own server
        self._is_stood_in = False

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the kept deltas in the same pieces, or the provider's; see `Provider`."""
        # In a thread: a request may hold images of many megabytes.
        key = await asyncio.to_thread(self._key, request) if self._may_know(request) else None
        kept = None if key is None else _read(await self._kept.get(key))
        if kept is not None:
            for known in kept:
                yield known
                await asyncio.sleep(0)  # nothing else here waits, and others want their turn
            return
        recording = Recording()
        async with aclosing(self._provider.stream(request)) as deltas:
            async for delta in deltas:
                self._note(delta)
                if key is not None:
                    recording.take(delta)
                yield delta
        if key is not None and recording.is_whole and self._is_own:
            await self._kept.put(key, recording.deltas, self._seconds)

    async def cancel(self, begun: str) -> None:
        """End an answer that has `Begun`; see `Provider`."""
        await self._provider.cancel(begun)

    def _note(self, delta: Delta) -> None:
        match delta:
            case Noticed("fallback"):
                self._is_stood_in = True
            case Answering(model):
                # Another server's model may have the same name.
                self._is_own = model == self._model and not self._is_stood_in
                self._is_stood_in = False

    def _may_know(self, request: ModelRequest) -> bool:
        is_plain = not request.hosted_tools and request.resume is None
        return self._seconds > 0 and self._is_own and is_plain and not request.private

    def _key(self, request: ModelRequest) -> str:
        asked = {name: value for name, value in asdict(request).items() if name not in _UNASKED}
        asked["refused"] = sorted(request.refused)
        # ASCII, so that halves of characters have bytes too.
        text = json.dumps([self._server, self._model, asked], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Recording:
    """The deltas of an answer under way, as far as they can be kept."""

    def __init__(self) -> None:
        self.deltas: list[JSON] = []
        self._bytes = 0
        self._is_keepable = True
        self._says_something = False
        self._finish: FinishReason | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of an answer was taken that can be given again."""
        return self._is_keepable and self._says_something and self._finish in _WHOLE

    def take(self, delta: Delta) -> None:
        """Keep a delta, and whatever it says about the answer."""
        match delta:
            case Usage() | Noticed() | Begun() | Answering():
                return  # of that day
            case TextDelta(text) | RefusalDelta(text):
                # An empty answer is a failure: the next time it may be better.
                self._says_something |= bool(text.strip())
            case CallStart():
                self._says_something = True
            case Finish(reason):
                self._finish = reason
        self._keep(encoded(delta))

    def _keep(self, data: JSON | None) -> None:
        try:
            self._bytes += len(to_json(data).encode())
        except ValueError:  # half a character
            data = None
        if data is None or self._bytes > LARGEST:
            self._is_keepable = False
        if not self._is_keepable:
            self.deltas.clear()
        elif data is not None:
            self.deltas.append(data)


def _read(data: Sequence[JSON] | None) -> Sequence[Delta] | None:
    if data is None:
        return None
    try:
        return [_NOTICE, *_replayed([decoded(each) for each in data])]
    except ValueError:
        return None  # another version has written it


def _replayed(deltas: Sequence[Delta]) -> Iterator[Delta]:
    for delta in deltas:
        if isinstance(delta, Finish):
            yield Usage(0, 0)  # this time the model had nothing to do
        yield delta
