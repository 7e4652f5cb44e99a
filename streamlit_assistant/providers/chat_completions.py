"""The Chat Completions adapter: any OpenAI-compatible model server."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    ModelRequest,
    PromptMessage,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.upstream_failure import explain, refuse_wrong_body
from streamlit_assistant.records import JSON

# A model that is loaded from disk for the first answer may need minutes for its first token.
FIRST_TOKEN_SECONDS = 300.0
SILENCE_SECONDS = 120.0

_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.MAX_TOKENS,
    "content_filter": FinishReason.CONTENT_FILTER,
}
# Servers name the thinking differently: DeepSeek, llama.cpp and LM Studio say
# `reasoning_content`; Ollama, vLLM and OpenRouter say `reasoning`.
_REASONING_FIELDS = ("reasoning_content", "reasoning")


class ChatCompletionsProvider:
    """Streams answers from `POST {base_url}/chat/completions`."""

    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        is_openai: bool = False,
        first_token_seconds: float = FIRST_TOKEN_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`client` must not retry by itself. `is_openai` turns on what only OpenAI accepts."""
        self._client = client
        # Taken now, because the client loads this part of itself only when asked for it.
        self._completions = client.chat.completions
        self._is_openai = is_openai
        self._first_token_seconds = first_token_seconds
        self._silence_seconds = silence_seconds

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer; see `Provider`."""
        try:
            async with asyncio.timeout(self._first_token_seconds):
                stream = await self._completions.create(**self._body(request))
            async with stream:
                await refuse_wrong_body(stream.response)
                async for chunk in self._chunks(stream):
                    for delta in _deltas(chunk):
                        yield delta
        except (openai.OpenAIError, httpx2.HTTPError, json.JSONDecodeError, TimeoutError) as error:
            raise explain(error, str(self._client.base_url), self._client.api_key) from error

    async def _chunks(
        self, stream: AsyncStream[ChatCompletionChunk]
    ) -> AsyncIterator[ChatCompletionChunk]:
        patience = self._first_token_seconds
        while True:
            try:
                async with asyncio.timeout(patience):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            patience = self._silence_seconds
            yield chunk

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": _messages(request),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": request.temperature,
            "top_p": request.top_p,
            "reasoning_effort": request.reasoning_effort,
            # Other servers know only the old name; OpenAI's newer models only the new one.
            "max_completion_tokens" if self._is_openai else "max_tokens": (
                request.max_completion_tokens
            ),
        }
        if request.response_format != "auto":
            body["response_format"] = request.response_format
        return {name: value for name, value in body.items() if value is not None}


def _messages(request: ModelRequest) -> list[JSON]:
    # Always `system`: only OpenAI knows the role `developer`.
    system = [{"role": "system", "content": request.instructions}] if request.instructions else []
    return system + [_message(message) for message in request.messages]


def _message(message: PromptMessage) -> JSON:
    parts = [_content_part(part) for part in message.content]
    if all(part["type"] == "text" for part in parts):
        # Some servers split an array into several messages, so plain text stays a string.
        return {"role": message.role, "content": "\n\n".join(part["text"] for part in parts)}
    return {"role": message.role, "content": parts}


def _content_part(part: JSON) -> JSON:
    kind = part["type"]
    if kind == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if kind == "refusal":
        return {"type": "text", "text": part["refusal"]}
    return part


def _deltas(chunk: ChatCompletionChunk) -> Iterator[Delta]:
    # The usage chunk has no choices; some servers send usage with the last choice instead.
    for choice in chunk.choices[:1]:
        delta = choice.delta
        reasoning = next(
            (text for name in _REASONING_FIELDS if (text := getattr(delta, name, None))), None
        )
        if isinstance(reasoning, str):
            yield ReasoningDelta(reasoning)
        if delta.content:
            yield TextDelta(delta.content)
        if delta.refusal:
            yield RefusalDelta(delta.refusal)
        if choice.finish_reason:
            yield Finish(_finish_reason(choice.finish_reason))
    if chunk.usage:
        yield Usage(chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)


def _finish_reason(reason: str) -> FinishReason:
    if reason not in _REASONS:
        raise UpstreamError(f"The model server ended the answer with '{reason}'.")
    return _REASONS[reason]
