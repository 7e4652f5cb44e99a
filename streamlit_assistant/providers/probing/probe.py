"""Finds out what a model can do by asking it: a dozen tiny requests through its adapter.

Every test is for itself: what one meets does not decide the next, unless the model does not
answer at all. A failure gives a verdict with the server's own words, never an exception.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import Provider
from streamlit_assistant.providers.capabilities import Capability, Check, Verdict
from streamlit_assistant.providers.probing.inquiry import FIRST_SECONDS, Answer, Inquiry
from streamlit_assistant.providers.probing.questions import (
    CITY_FORM,
    COUNT,
    DESCRIBE,
    GREET,
    SAMPLE_TEXT,
    WHAT_COLOUR,
    picture,
    said,
)
from streamlit_assistant.providers.probing.tools import tool_checks
from streamlit_assistant.providers.probing.verdicts import (
    context_length,
    json_schema,
    latency,
    reasoning,
    streaming,
    usage,
    vision,
)
from streamlit_assistant.providers.upstream import ModelInfo

OFFLINE = "offline"  # what stands for the protocol where there is nobody to be asked
EMBEDDING_SECONDS = 30.0
NOT_TESTED = "Not tested, because the model does not answer."
SKIPPED = (
    *(Capability.LATENCY, Capability.USAGE, Capability.REASONING, Capability.TOOLS),
    *(Capability.PARALLEL_TOOLS, Capability.TOOL_CHOICE, Capability.JSON_SCHEMA),
    Capability.VISION,
)


class VectorMaker(Protocol):
    """What makes vectors of texts, as the embedder of a connection."""

    @property
    def trouble(self) -> str | None:
        """Why it makes none now, in the words of the server."""

    async def model(self) -> str | None:
        """Return which model makes them, or None while there is none."""

    async def embed(
        self, texts: Sequence[str], *, attempts: int, seconds: float
    ) -> Sequence[Sequence[float]] | None:
        """Return a vector for each text, or None."""


@dataclass(frozen=True)
class Subject:
    """What is tested: a model and the ways to ask it.

    `server` is its address, `api` the protocol: chat, responses, or `OFFLINE`. `failure` is why
    there is none to be asked. `models` are all that the server lists. `context_anew` asks once
    more how much the model holds, for when it is loaded.
    """

    server: str
    api: str
    model: str
    provider: Provider
    context_tokens: int | None = None
    context_anew: Callable[[], Awaitable[int | None]] | None = None
    shutdown_date: str | None = None
    embedder: VectorMaker | None = None
    failure: UpstreamError | None = None
    models: Sequence[ModelInfo] = ()


async def probe(subject: Subject, inquiry: Inquiry) -> AsyncGenerator[Check, None]:
    """Yield the checks of a model, each as soon as it is made; `inquiry` asks its provider."""
    if subject.failure is not None:
        counted = Answer(trouble=subject.failure)
    else:
        counted = await inquiry.ask(said(COUNT), seconds=FIRST_SECONDS)
    yield streaming(counted)
    if counted.trouble is not None:
        for name in SKIPPED:
            yield Check(name, Verdict.UNKNOWN, NOT_TESTED)
    else:
        yield latency(await inquiry.ask(said(GREET)))
        yield usage(counted)
        yield reasoning(counted)
        async with aclosing(tool_checks(inquiry)) as checks:
            async for check in checks:
                yield check
        yield json_schema(await inquiry.ask(said(DESCRIBE), response_format=CITY_FORM))
        yield vision(await inquiry.ask(said(WHAT_COLOUR, picture())))
    if subject.failure is not None:
        yield Check(Capability.CONTEXT_LENGTH, Verdict.UNKNOWN, NOT_TESTED)
        yield Check(Capability.EMBEDDINGS, Verdict.UNKNOWN, NOT_TESTED)
        return
    anew = subject.context_anew
    yield context_length(subject.context_tokens if anew is None else await anew())
    yield await embeddings(subject.embedder)


async def embeddings(embedder: VectorMaker | None) -> Check:
    """Report whether the server makes vectors, by which files are searched by meaning."""
    name, model = Capability.EMBEDDINGS, await embedder.model() if embedder else None
    if embedder is None or model is None:
        words = "No embedding model is to be had; files are searched by words alone."
        return Check(name, Verdict.NO, _because(words, embedder))
    vectors = await embedder.embed([SAMPLE_TEXT], attempts=1, seconds=EMBEDDING_SECONDS)
    if not vectors:
        words = f"“{model}” made no vector; files are searched by words alone."
        return Check(name, Verdict.NO, _because(words, embedder))
    size = len(vectors[0])
    return Check(name, Verdict.YES, f"“{model}” makes vectors of {size} numbers.", figure=size)


def _because(words: str, embedder: VectorMaker | None) -> str:
    return " ".join(filter(None, [words, embedder.trouble if embedder else None]))
