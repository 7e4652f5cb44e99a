"""Chat Completions as real model servers write them: the chunks, the bodies and the errors.

The shapes differ where the servers differ, each in the ways that have broken clients.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

DONE = b"data: [DONE]\n\n"
CREATED = 1_795_000_000
PIECE_OF_ARGUMENTS = 7  # characters


@dataclass(frozen=True)
class Call:
    """The model calls a function."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True)
class Dialect:
    """How one server's stream looks."""

    first_delta: JSON | None = None  # a delta of its own, before the first text
    every_delta: JSON = field(default_factory=dict)  # goes into each delta with text
    last_delta: JSON = field(default_factory=dict)  # goes with the finish reason
    every_choice: JSON = field(default_factory=dict)
    every_chunk: JSON = field(default_factory=dict)
    reasoning_field: str = "reasoning"
    usage: str = "asked"  # or "always", or "never"
    usage_has_choice: bool = False
    prelude: JSON | None = None  # a chunk without choices before all others
    comment: str | None = None  # sent as a comment line before the first token
    whole_calls: bool = False  # each function call in one chunk, all with the number 0
    compact: bool = False  # no space after `data:`, and lines that end with CRLF


OLLAMA = Dialect(
    every_delta={"role": "assistant"},
    last_delta={"role": "assistant", "content": ""},
    every_chunk={"system_fingerprint": "fp_ollama"},
    whole_calls=True,
)
LLAMA_CPP = Dialect(
    first_delta={"role": "assistant", "content": None},
    every_chunk={"system_fingerprint": "b11434-0f1a2b3c"},
    reasoning_field="reasoning_content",
)
LLAMA_CPP_PYTHON = Dialect(
    first_delta={"role": "assistant"}, every_choice={"logprobs": None}, usage="never"
)
VLLM = Dialect(
    first_delta={"role": "assistant", "content": ""},
    last_delta={"content": ""},
    every_choice={"logprobs": None},
)
OPENROUTER = Dialect(
    every_delta={"role": "assistant"},
    last_delta={"role": "assistant", "content": ""},
    every_choice={"logprobs": None, "native_finish_reason": None},
    every_chunk={"provider": "Somebody"},
    usage="always",
    usage_has_choice=True,
    comment="OPENROUTER PROCESSING",
)
AZURE = Dialect(
    first_delta={"role": "assistant", "content": "", "refusal": None},
    every_choice={"content_filter_results": {}},
    prelude={"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
)
COMPACT = Dialect(compact=True)  # legal, and what hand-written proxies do
DIALECTS = {
    "ollama": OLLAMA,
    "llama.cpp": LLAMA_CPP,
    "llama-cpp-python": LLAMA_CPP_PYTHON,
    "vllm": VLLM,
    "openrouter": OPENROUTER,
    "azure": AZURE,
    "compact": COMPACT,
}


class Wire:
    """Writes one answer in a dialect."""

    def __init__(self, dialect: Dialect, request: JSON, number: int) -> None:
        self._dialect = dialect
        self._request = request
        self._number = number

    def opening(self) -> bytes:
        """Return what comes before the first token."""
        dialect = self._dialect
        parts = [f": {dialect.comment}\n\n".encode()] if dialect.comment else []
        if dialect.prelude is not None:
            parts.append(self._frame(self._chunk([]) | dialect.prelude | {"id": ""}))
        if dialect.first_delta is not None:
            parts.append(self._frame(self._chunk([self._choice(dialect.first_delta)])))
        return b"".join(parts)

    def token(self, text: str) -> bytes:
        """Return the frame of a piece of the answer."""
        return self._delta({"content": text})

    def thought(self, text: str) -> bytes:
        """Return the frame of a piece of the model's thinking."""
        silence = {"content": ""} if self._dialect.every_delta else {}
        return self._delta(silence | {self._dialect.reasoning_field: text})

    def calls(self, calls: Sequence[Call]) -> Iterator[bytes]:
        """Yield the frames of function calls, in pieces unless the server sends them whole."""
        for place, call in enumerate(calls):
            index = 0 if self._dialect.whole_calls else place
            opened = {"index": index, "id": f"call_{self._number}_{place}", "type": "function"}
            if self._dialect.whole_calls:
                yield self._call(opened, name=call.name, arguments=call.arguments)
                continue
            yield self._call(opened, name=call.name, arguments="")
            for start in range(0, len(call.arguments), PIECE_OF_ARGUMENTS):
                piece = call.arguments[start : start + PIECE_OF_ARGUMENTS]
                yield self._call({"index": index}, arguments=piece)

    def _call(self, call: JSON, **function: str) -> bytes:
        return self._delta({"tool_calls": [{**call, "function": function}]})

    def finish(self, reason: str) -> bytes:
        """Return the frame that says why the answer ends."""
        return self._frame(self._chunk([self._choice(self._dialect.last_delta, reason)]))

    def usage(self, completion_tokens: int) -> bytes:
        """Return the frame with the number of tokens; empty where the server sends none."""
        asked = (self._request.get("stream_options") or {}).get("include_usage")
        if self._dialect.usage == "never" or (self._dialect.usage == "asked" and not asked):
            return b""
        choices = [self._choice(self._dialect.last_delta)] if self._dialect.usage_has_choice else []
        return self._frame(self._chunk(choices) | {"usage": self._usage(completion_tokens)})

    def error(self, error: JSON) -> bytes:
        """Return a frame that breaks the news in the middle of an answer."""
        return self._frame({"error": error})

    def half_a_frame(self) -> bytes:
        """Return a frame whose JSON was cut, ended as if it were whole."""
        return self.token("lost").replace(b"lost", b'lost"')[:-20] + b"\n\n"

    def whole(self, text: str, thoughts: str, reason: str, completion_tokens: int) -> JSON:
        """Return the answer as the one body of a request that does not stream."""
        message: JSON = {"role": "assistant", "content": text}
        if thoughts:
            message[self._dialect.reasoning_field] = thoughts
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {
            **self._head("chat.completion"),
            "choices": [choice | self._dialect.every_choice],
            "usage": self._usage(completion_tokens),
        }

    def _delta(self, delta: JSON) -> bytes:
        return self._frame(self._chunk([self._choice(self._dialect.every_delta | delta)]))

    def _choice(self, delta: JSON, reason: str | None = None) -> JSON:
        return {"index": 0, "delta": delta, "finish_reason": reason, **self._dialect.every_choice}

    def _chunk(self, choices: list[JSON]) -> JSON:
        head = self._head("chat.completion.chunk")
        return {**head, "choices": choices}

    def _head(self, kind: str) -> JSON:
        return {
            "id": f"chatcmpl-{self._number}",
            "object": kind,
            "created": CREATED,
            "model": self._request.get("model"),
            **self._dialect.every_chunk,
        }

    def _usage(self, completion_tokens: int) -> JSON:
        messages = self._request.get("messages") or []
        prompt_tokens = sum(len(str(message.get("content")).split()) for message in messages)
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        }

    def _frame(self, data: JSON) -> bytes:
        text = json.dumps(data, ensure_ascii=False)
        frame = f"data:{text}\r\n\r\n" if self._dialect.compact else f"data: {text}\n\n"
        return frame.encode()


def model_list(names: tuple[str, ...]) -> JSON:
    """Return the body of `GET /v1/models`."""
    data = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "library"} for name in names
    ]
    return {"object": "list", "data": data}


def error_body(
    message: str, kind: str, code: str | int | None = None, param: str | None = None
) -> JSON:
    """Return the error envelope that most servers share."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
