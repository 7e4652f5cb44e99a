"""Talking to the Chat Completions adapter in tests."""

from typing import Any

import httpx2
import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    CallsMessage,
    Delta,
    Finish,
    FinishReason,
    FunctionCall,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    TextDelta,
    Turn,
)
from streamlit_assistant.providers.chat.completions import ChatCompletionsProvider
from streamlit_assistant.providers.chat.dialects import Dialect
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.providers.conftest import RawUpstream, chunk

KEY = "sk-secret-0123456789"
STOP = Finish(FinishReason.STOP)
CALLS = Finish(FinishReason.TOOL_CALLS)

WEATHER = {"name": "get_weather", "description": "The weather.", "strict": False}
CLOCK = {"name": "get_time", "description": "The time."}


def text(value: str) -> dict[str, Any]:
    """A text part of a message."""
    return {"type": "text", "text": {"value": value, "annotations": []}}


def request(*turns: Turn, **fields: Any) -> ModelRequest:
    """Ask "hi", unless turns say something else."""
    shown = turns or (PromptMessage("user", [text("hi")]),)
    return ModelRequest(**{"model": "m", "instructions": "Be kind.", "messages": shown, **fields})


def called(*calls: FunctionCall, replay: Any = None, said: str = "") -> list[Turn]:
    """Turns in which the model called functions and got their outputs."""
    content = [text(said)] if said else []
    outputs = [OutputMessage(call.id, f"of {call.id}") for call in calls]
    return [PromptMessage("user", [text("hi")]), CallsMessage(calls, content, replay), *outputs]


def provider_at(url: str, **options: Any) -> tuple[httpx2.AsyncClient, ChatCompletionsProvider]:
    """Return an adapter for an address, and its client, to be closed."""
    client = httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"})
    return client, ChatCompletionsProvider(client, Explainer(url, KEY), **options)


async def deltas(
    provider: ChatCompletionsProvider, asked: ModelRequest | None = None
) -> list[Delta]:
    """Return everything that is answered."""
    return [delta async for delta in provider.stream(asked or request())]


async def heard(
    upstream: RawUpstream, dialect: Dialect | None = None, **fields: Any
) -> list[Delta]:
    """Return what a server of a kind answers to a request with these fields."""
    client, provider = provider_at(upstream.url, dialect=dialect, server="here")
    async with client:
        return await deltas(provider, request(**fields))


async def failure(
    provider: ChatCompletionsProvider, asked: ModelRequest | None = None
) -> tuple[list[Delta], UpstreamError]:
    """Return what came before the answer failed, and why it did."""
    seen: list[Delta] = []
    with pytest.raises(UpstreamError) as caught:
        async for delta in provider.stream(asked or request()):
            seen.append(delta)
    return seen, caught.value


async def sent(
    upstream: RawUpstream,
    asked: ModelRequest | None = None,
    dialect: Dialect | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return the body that a server of a kind is sent."""
    upstream.say(chunk(content="x"), chunk("stop"))
    client, provider = provider_at(upstream.url, dialect=dialect, server="here")
    async with client:
        await deltas(provider, asked or request(**fields))
    return upstream.requests[-1]


def said(seen: list[Delta]) -> str:
    """The text of an answer."""
    return "".join(delta.text for delta in seen if isinstance(delta, TextDelta))
