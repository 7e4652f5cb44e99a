"""The Chat Completions adapter: any OpenAI-compatible model server.

It reads the stream itself. The official client hides what must be noticed here: a body that is no
stream, and an end without a reason, both look to its users like an answer that is over.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import httpx2

from streamlit_assistant.event_frames import Frame, FrameDecoder
from streamlit_assistant.providers.base import (
    CallsMessage,
    Delta,
    FunctionCall,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.providers.chat_chunks import Reading
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer
from streamlit_assistant.records import JSON

# A model that is loaded from disk for the first answer may need minutes for its first token.
FIRST_TOKEN_SECONDS = 300.0
SILENCE_SECONDS = 120.0

AFTER_FINISH_SECONDS = 2.0  # for the usage that may follow the end

_DONE = "[DONE]"


class ChatCompletionsProvider:
    """Streams answers from `POST {base_url}/chat/completions`."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        explainer: Explainer,
        *,
        is_openai: bool = False,
        first_token_seconds: float = FIRST_TOKEN_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`client` knows the address and the key. `is_openai`: use what only OpenAI accepts."""
        self._client = client
        self._explainer = explainer
        self._is_openai = is_openai
        self._first_token_seconds = first_token_seconds
        self._silence_seconds = silence_seconds

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one answer; see `Provider`."""
        post = self._client.build_request("POST", "chat/completions", json=self._body(request))
        reading = Reading(self._first_token_seconds)
        try:
            async with asyncio.timeout(reading.patience):
                response = await self._client.send(post, stream=True)
            try:
                await self._explainer.refuse_unless_streaming(response)
                async for chunk in self._chunks(response, reading):
                    for delta in reading.deltas(chunk):
                        yield delta
            finally:
                await response.aclose()
        except FAILURES as error:
            if not reading.finished:
                raise self._explainer.failure(error) from error

    async def cancel(self, begun: str) -> None:
        """Do nothing: no answer goes on without whoever reads it."""

    async def _chunks(self, response: httpx2.Response, reading: Reading) -> AsyncIterator[JSON]:
        decoder = FrameDecoder()
        received = aiter(response.aiter_bytes())
        while True:
            async with asyncio.timeout(reading.patience):
                piece = await anext(received, None)
            if piece is None:
                return
            reading.patience = self._silence_seconds
            if reading.finished:
                # The answer is whole: nothing that goes wrong from here on can harm it.
                reading.patience = AFTER_FINISH_SECONDS
            for frame in decoder.feed(piece):
                if isinstance(frame, Frame):
                    if frame.data == _DONE:
                        return
                    yield self._chunk(frame)

    def _chunk(self, frame: Frame) -> JSON:
        chunk = json.loads(frame.data)
        if not isinstance(chunk, dict):
            raise ValueError("a chunk that is not an object")
        if chunk.get("error") or frame.event == "error":
            raise self._explainer.error_frame(chunk.get("error") or chunk)
        return chunk

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
        if request.functions:
            body |= _tools(request)
        return {name: value for name, value in body.items() if value is not None}


def _messages(request: ModelRequest) -> list[JSON]:
    # Always `system`: only OpenAI knows the role `developer`.
    system = [{"role": "system", "content": request.instructions}] if request.instructions else []
    return system + [_message(message) for message in request.messages]


def _message(turn: Turn) -> JSON:
    match turn:
        case OutputMessage(call_id, output):
            return {"role": "tool", "tool_call_id": call_id, "content": output}
        case CallsMessage(calls, content):
            # Never null: some servers' templates cannot take it.
            said = _content(content)
            return {"role": "assistant", "content": said, "tool_calls": [_call(c) for c in calls]}
        case PromptMessage(role, content):
            return {"role": role, "content": _content(content)}


def _content(content: Sequence[JSON]) -> str | list[JSON]:
    parts = [_content_part(part) for part in content]
    if all(part["type"] == "text" for part in parts):
        # Some servers split an array into several messages, so plain text stays a string.
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _call(call: FunctionCall) -> JSON:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _content_part(part: JSON) -> JSON:
    kind = part["type"]
    if kind == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if kind == "refusal":
        return {"type": "text", "text": part["refusal"]}
    return part


def _tools(request: ModelRequest) -> JSON:
    tools: JSON = {"tools": [_tool(function) for function in request.functions]}
    kind, _, name = request.tool_choice.partition(":")
    if kind == "function":
        tools["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind != "auto":
        tools["tool_choice"] = kind
    if not request.parallel_tool_calls:
        tools["parallel_tool_calls"] = False
    return tools


def _tool(function: JSON) -> JSON:
    sent = {name: value for name, value in function.items() if value is not None}
    if not sent.get("strict"):
        sent.pop("strict", None)  # what is not asked for need not be understood
    # Some servers stumble over a function without parameters.
    sent.setdefault("parameters", {"type": "object", "properties": {}})
    return {"type": "function", "function": sent}
