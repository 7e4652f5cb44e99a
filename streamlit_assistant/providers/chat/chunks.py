"""What the chunks of a chat completion say, in all the ways in which servers say it."""

from collections.abc import Iterator
from typing import Any, TypeGuard

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    CallArguments,
    CallStart,
    Delta,
    Finish,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.call_assembly import CallAssembly
from streamlit_assistant.providers.surrogates import mended
from streamlit_assistant.records import JSON

# Whatever else a server gives as its reason, such as `eos_token`, means that the model was done.
_REASONS = {
    "length": FinishReason.MAX_TOKENS,
    "max_tokens": FinishReason.MAX_TOKENS,
    "content_filter": FinishReason.CONTENT_FILTER,
}
Said = type[TextDelta] | type[RefusalDelta] | type[ReasoningDelta]

_CALL_REASONS = {"tool_calls", "function_call"}
# Servers name the thinking differently: DeepSeek, llama.cpp and LM Studio say
# `reasoning_content`; Ollama, vLLM and OpenRouter say `reasoning`.
_FIELDS: tuple[tuple[str, Said], ...] = (
    ("reasoning_content", ReasoningDelta),
    ("reasoning", ReasoningDelta),
    ("content", TextDelta),
    ("refusal", RefusalDelta),
)
MOST_TOKENS = 2**53  # a count beyond it is not one


class Reading:
    """One stream as it is read. `patience` is how many seconds the next bytes may take."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.finished = False
        self._halves: dict[str, str] = {}
        self._calls = CallAssembly()

    def deltas(self, chunk: JSON) -> Iterator[Delta]:
        """Yield what a chunk says; raise `UpstreamError` if the model gave up."""
        # The usage chunk has no choices; some servers send usage with the last choice instead.
        for choice in _objects(chunk.get("choices"))[:1]:
            said = choice.get("delta")
            if isinstance(said, dict):
                yield from self._said(said)
            if reason := choice.get("finish_reason"):
                yield from self._finish(str(reason))
        if usage := _usage(chunk.get("usage")):
            yield usage

    def _finish(self, reason: str) -> Iterator[Delta]:
        if self.finished:
            return  # some servers repeat their reason with the usage
        self.finished = True
        if reason == "error" or (reason in _CALL_REASONS and self._calls.empty):
            raise UpstreamError(f"The model server ended the answer with '{reason}'.")
        finish = _REASONS.get(reason, FinishReason.STOP)
        if finish is FinishReason.STOP and not self._calls.empty:
            # The calls count, not the word: Gemini's for them is `stop`.
            yield from self._calls.finish()
            finish = FinishReason.TOOL_CALLS
        yield Finish(finish)

    def _said(self, delta: JSON) -> Iterator[Delta]:
        for name, kind in _FIELDS:
            value = delta.get(name)
            if isinstance(value, str):
                yield from self._text(name, kind, value)
            for part in _objects(value):
                # Mistral's reasoning models send lists of parts.
                text = part.get("text")
                if isinstance(text, str):
                    yield from self._text(name, kind, text)
        yield from self._called(delta)

    def _called(self, delta: JSON) -> Iterator[CallStart | CallArguments]:
        for piece in _objects(delta.get("tool_calls")):
            yield from self._calls.take(piece)
        # The field of before there were several calls in one answer.
        if isinstance(old := delta.get("function_call"), dict):
            yield from self._calls.take({"index": 0, "function": old})

    def _text(self, name: str, kind: Said, text: str) -> Iterator[Delta]:
        said, self._halves[name] = mended(self._halves.get(name, ""), text)
        if said:
            yield kind(said)


def _objects(value: Any) -> list[JSON]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _usage(given: Any) -> Usage | None:
    """Return the counts if both are counts; half a truth would be taken for the whole."""
    if not isinstance(given, dict):
        return None
    prompt, completion = given.get("prompt_tokens"), given.get("completion_tokens")
    return Usage(prompt, completion) if _is_count(prompt) and _is_count(completion) else None


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < MOST_TOKENS
