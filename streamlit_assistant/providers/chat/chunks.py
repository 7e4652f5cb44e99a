"""What the chunks of a chat completion say, in all the ways in which servers say it."""

from collections.abc import Iterator
from typing import Any

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import (
    Delta,
    Finish,
    FinishReason,
    Noticed,
    ReasoningDelta,
    RefusalDelta,
    Remember,
    TextDelta,
    Usage,
)
from streamlit_assistant.providers.chat.call_assembly import CallAssembly
from streamlit_assistant.providers.chat.memory import Memory
from streamlit_assistant.providers.chat.thinking import Thinking
from streamlit_assistant.providers.chat.usage import usage_of
from streamlit_assistant.records import JSON
from streamlit_assistant.surrogates import mended

# Whatever else a server gives as its reason, such as `eos_token`, means that the model was done.
_REASONS = {
    "length": FinishReason.MAX_TOKENS,
    "max_tokens": FinishReason.MAX_TOKENS,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_PLAIN = {"role", "content"}
_CALL_REASONS = {"tool_calls", "function_call"}
# Servers name the thinking differently: DeepSeek, llama.cpp and LM Studio say
# `reasoning_content`; Ollama, vLLM and OpenRouter say `reasoning`, and OpenRouter both that and
# the details.
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")

_UNMET = "The model answered without calling {}, although it was asked to."


class Reading:
    """One answer as it is read."""

    def __init__(
        self,
        thinking: Thinking | None = None,
        *,
        forced: str | None = None,
        server: str = "",
    ) -> None:
        """`thinking`: what tells thoughts in the text apart; None: there are none.

        `forced`: the function that is to be called, as `chat_tools.forced_function` returns it.
        `server`: the name under which it is remembered what the server wants to hear again.
        """
        self.begun = False  # anything was said
        self.finished = False
        self.fingerprint: object = None
        self._thinking = thinking
        self._forced = forced
        self._server = server
        self._thoughts_in: str | None = None  # the field that has them
        self._halves: dict[str, str] = {}
        self._calls = CallAssembly()
        self._memory = Memory()
        self._usage: Usage | None = None

    def deltas(self, chunk: JSON) -> Iterator[Delta]:
        """Yield what a chunk says; raise `UpstreamError` if the model gave up."""
        self.fingerprint = chunk.get("system_fingerprint") or self.fingerprint
        # The usage chunk has no choices; some servers send usage with the last choice instead, or
        # with every one: what they say last counts.
        self._usage = usage_of(chunk.get("usage")) or self._usage
        for choice in _objects(chunk.get("choices"))[:1]:
            said = choice.get("delta")
            if not isinstance(said, dict):
                said = choice.get("message")  # an answer in one piece
            if isinstance(said, dict):
                yield from self._said(said)
            if reason := choice.get("finish_reason"):
                yield from self._finish(str(reason))
        if self.finished:
            yield from self.rest()

    def done(self) -> Iterator[Delta]:
        """Yield the end that a server left out which says in another way that it is done."""
        if not self.finished and self._calls.are_whole:
            yield from self._end(FinishReason.STOP)

    def rest(self) -> Iterator[Delta]:
        """Yield the usage that was not told yet."""
        if self._usage is not None:
            yield self._usage
            self._usage = None

    def _finish(self, reason: str) -> Iterator[Delta]:
        if self.finished:
            return  # some servers repeat their reason with the usage
        if reason == "error" or (reason in _CALL_REASONS and self._calls.empty):
            raise UpstreamError(f"The model server ended the answer with '{reason}'.")
        finish = _REASONS.get(reason, FinishReason.STOP)
        if finish is FinishReason.MAX_TOKENS and self._calls.are_whole:
            finish = FinishReason.STOP  # nothing is missing
        yield from self._end(finish)

    def _end(self, finish: FinishReason) -> Iterator[Delta]:
        has_calls = not self._calls.empty
        if self._thinking is not None:
            rescue = finish is FinishReason.STOP and not has_calls
            yield from self._thinking.end(rescue=rescue)
        if finish is FinishReason.STOP and has_calls:
            # The calls count, not the word: Gemini's for them is `stop`.
            yield from self._calls.finish()
            yield from self._remembered()
            finish = FinishReason.TOOL_CALLS
        if finish in (FinishReason.STOP, FinishReason.TOOL_CALLS):
            yield from self._unmet()
        self.finished = True
        yield Finish(finish)

    def _remembered(self) -> Iterator[Remember]:
        message, calls = self._memory.fields, self._calls.extras
        if message or any(calls):
            yield Remember({"message": message, "calls": list(calls)}, self._server)

    def _unmet(self) -> Iterator[Noticed]:
        if self._forced is None:
            return
        names = self._calls.names
        if self._forced in names or (names and not self._forced):
            return
        what = f"the function '{self._forced}'" if self._forced else "a function"
        yield Noticed("tool_choice_unmet", _UNMET.format(what), {"function": self._forced})

    def _said(self, delta: JSON) -> Iterator[Delta]:
        content = delta.get("content")
        # Nearly every chunk is a piece of text and nothing else: the rest is not looked for then.
        if isinstance(content, str) and delta.keys() <= _PLAIN:
            deltas = self._text("content", content)
        else:
            deltas = self._all_said(delta)
        for said in deltas:
            self.begun = True
            yield said

    def _all_said(self, delta: JSON) -> Iterator[Delta]:
        self._memory.take(delta)
        yield from self._thought(delta)
        for kind, text in _parts("content", delta.get("content")):
            yield from self._text(kind, text)
        for _, text in _parts("refusal", delta.get("refusal")):
            yield from self._text("refusal", text)
        yield from self._called(delta)

    def _thought(self, delta: JSON) -> Iterator[Delta]:
        """Yield what was thought, once: some servers say the same in two fields."""
        for name in _THOUGHTS if self._thoughts_in is None else (self._thoughts_in,):
            texts = [text for _, text in _parts(name, delta.get(name)) if text]
            if texts:
                self._thoughts_in = name
                if self._thinking is not None:
                    self._thinking.is_told_apart()
                for text in texts:
                    yield from self._text(name, text)
                return

    def _called(self, delta: JSON) -> Iterator[Delta]:
        for piece in _objects(delta.get("tool_calls")):
            yield from self._calls.take(piece)
        # The field of before there were several calls in one answer.
        if isinstance(old := delta.get("function_call"), dict):
            yield from self._calls.take({"index": 0, "function": old})

    def _text(self, kind: str, text: str) -> Iterator[Delta]:
        said, self._halves[kind] = mended(self._halves.get(kind, ""), text)
        if not said:
            return
        if kind == "refusal":
            yield RefusalDelta(said)
        elif kind != "content":
            yield ReasoningDelta(said)
        elif self._thinking is None:
            yield TextDelta(said)
        else:
            yield from self._thinking.feed(said)


def _parts(kind: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts in a field, each with what kind of text it is."""
    if isinstance(value, str):
        yield kind, value
    for part in _objects(value):
        # Mistral's models send lists of parts, and parts with what they think.
        if part.get("type") == "thinking":
            yield from _parts("thinking", part.get("thinking"))
        else:
            texts = (part.get("text"), part.get("summary"))
            yield from ((kind, text) for text in texts if isinstance(text, str))


def _objects(value: Any) -> list[JSON]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
