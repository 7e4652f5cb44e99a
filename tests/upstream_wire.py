"""How real model servers write: their dialects, and the shapes that both of their APIs share.

The shapes differ where the servers differ, each in the ways that have broken clients.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

DONE = b"data: [DONE]\n\n"
CREATED = 1_795_000_000
PIECE_OF_ARGUMENTS = 7  # characters


@dataclass(frozen=True)
class Call:
    """The model calls a function; `id` None: the server makes one in its way."""

    name: str
    arguments: str = "{}"
    id: str | None = None


@dataclass(frozen=True)
class Manner:
    """How one server's stream of `/v1/responses` looks."""

    numbered: bool = True  # events say their number, and which item and part they belong to
    opens_twice: bool = False  # with tools, the first two events come again
    says_cut: bool = True  # an answer that became too long is not called completed
    counts_details: bool = True  # the usage tells cached and reasoning tokens
    thinks_aloud: bool = False  # thoughts are the item's text, not summaries of it
    names_calls: bool = True  # items of calls have ids of their own
    names_events: bool = True  # `event:` lines
    whole_calls: bool = False  # arguments in one piece
    keeps: bool = True  # answers can be referred to, and asked for again
    ends_with_done: bool = False  # a `[DONE]`, as in the older API


@dataclass(frozen=True)
class Dialect:
    """How one server's stream of `/v1/chat/completions` looks, and the other in `responses`."""

    first_delta: JSON | None = None  # a delta of its own, before the first text
    every_delta: JSON = field(default_factory=dict)  # goes into each delta with text
    last_delta: JSON = field(default_factory=dict)  # goes with the finish reason
    every_choice: JSON = field(default_factory=dict)
    every_chunk: JSON = field(default_factory=dict)
    reasoning_field: str = "reasoning"
    reasoning_details: bool = False  # the thoughts a second time, in parts
    tags: tuple[str, str] | None = None  # thoughts stand between these, in the text
    usage: str = "asked"  # or "always", "never", "each chunk", "with finish"
    usage_has_choice: bool = False
    prelude: JSON | None = None  # a chunk without choices before all others
    comment: str | None = None  # sent as a comment line before the first token
    whole_calls: bool = False  # each function call in one chunk
    numbering: str = "place"  # of calls; or "zero" for all of them, or "none"
    call_id: str = "call_{number}_{place}"  # empty: the server gives none
    call_extra: JSON = field(default_factory=dict)  # goes with the head of each call
    object_arguments: bool = False  # arguments are not a string but what it means
    calls_finish: str = "tool_calls"  # the reason after calls
    named_call_finish: str | None = None  # the same where the request named the function
    names_errors: bool = False  # `event: error` before the news
    compact: bool = False  # no space after `data:`, and lines that end with CRLF
    responses: Manner = field(default_factory=Manner)


OPENAI = Dialect(
    first_delta={"role": "assistant", "content": "", "refusal": None},
    every_choice={"logprobs": None},
    every_chunk={"service_tier": "default", "system_fingerprint": "fp_6a1b"},
)
OLLAMA = Dialect(
    every_delta={"role": "assistant"},
    last_delta={"role": "assistant", "content": ""},
    every_chunk={"system_fingerprint": "fp_ollama"},
    whole_calls=True,
    numbering="zero",
    responses=Manner(keeps=False, whole_calls=True, says_cut=False),
)
OLD_OLLAMA = Dialect(  # its arguments were objects, and its calls had neither numbers nor ids
    every_delta={"role": "assistant"},
    whole_calls=True,
    numbering="none",
    call_id="",
    object_arguments=True,
    calls_finish="stop",
)
LLAMA_CPP = Dialect(
    first_delta={"role": "assistant", "content": None},
    every_chunk={"system_fingerprint": "b11434-0f1a2b3c"},
    reasoning_field="reasoning_content",
    responses=Manner(
        numbered=False,
        opens_twice=True,
        says_cut=False,
        counts_details=False,
        thinks_aloud=True,
        names_calls=False,
        keeps=False,
    ),
)
LLAMA_CPP_PYTHON = Dialect(
    first_delta={"role": "assistant"},
    every_choice={"logprobs": None},
    usage="never",
    call_id="call__{place}_{name}_cmpl-0b3c6f0e-7a6d-4a0e-9d5c-5f2a8e4b1c7d{number}",
)
VLLM = Dialect(
    first_delta={"role": "assistant", "content": ""},
    last_delta={"content": ""},
    every_choice={"logprobs": None},
    call_id="chatcmpl-tool-{number:016x}{place:016x}",
    named_call_finish="stop",
)
VLLM_COUNTING = Dialect(  # with `continuous_usage_stats`
    first_delta={"role": "assistant", "content": ""},
    every_choice={"logprobs": None},
    usage="each chunk",
)
LM_STUDIO = Dialect(
    every_delta={"role": "assistant"},
    every_choice={"logprobs": None},
    reasoning_field="reasoning_content",
    names_errors=True,
    call_id="{number:05d}{place:04d}",
)
OPENROUTER = Dialect(
    every_delta={"role": "assistant"},
    last_delta={"role": "assistant", "content": ""},
    every_choice={"logprobs": None, "native_finish_reason": None},
    every_chunk={"provider": "Somebody"},
    usage="always",
    usage_has_choice=True,
    reasoning_details=True,
    comment="OPENROUTER PROCESSING",
)
DEEPSEEK = Dialect(
    first_delta={"role": "assistant", "content": None, "reasoning_content": ""},
    last_delta={"content": "", "reasoning_content": None},
    every_choice={"logprobs": None},
    reasoning_field="reasoning_content",
    usage="with finish",
    call_id="call_00_{number:010d}{place:06d}",
)
GEMINI = Dialect(
    every_delta={"role": "assistant"},
    whole_calls=True,
    numbering="none",
    call_extra={"extra_content": {"google": {"thought_signature": "c2lnbmF0dXJlIA=="}}},
    calls_finish="stop",
    usage="with finish",
)
MISTRAL = Dialect(
    first_delta={"role": "assistant", "content": ""},
    last_delta={"content": ""},
    whole_calls=True,
    usage="with finish",
    call_id="D{number:06d}x{place}",
)
AZURE = Dialect(
    first_delta={"role": "assistant", "content": "", "refusal": None},
    every_choice={"content_filter_results": {}},
    prelude={"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
)
TAGS = Dialect(tags=("<think>", "</think>"), first_delta={"role": "assistant"})
HALF_TAGS = Dialect(tags=("", "</think>"), first_delta={"role": "assistant"})
COMPACT = Dialect(  # legal, and what hand-written proxies do
    compact=True, responses=Manner(names_events=False, ends_with_done=True)
)
DIALECTS = {
    "openai": OPENAI,
    "ollama": OLLAMA,
    "old ollama": OLD_OLLAMA,
    "llama.cpp": LLAMA_CPP,
    "llama-cpp-python": LLAMA_CPP_PYTHON,
    "vllm": VLLM,
    "vllm, counting": VLLM_COUNTING,
    "lm studio": LM_STUDIO,
    "openrouter": OPENROUTER,
    "deepseek": DEEPSEEK,
    "gemini": GEMINI,
    "mistral": MISTRAL,
    "azure": AZURE,
    "think tags": TAGS,
    "half of the think tags": HALF_TAGS,
    "compact": COMPACT,
}


def frame_of(data: JSON, event: str | None = None, *, compact: bool = False) -> bytes:
    """Return a server-sent event."""
    text = json.dumps(data, ensure_ascii=False)
    if compact:
        return f"data:{text}\r\n\r\n".encode()
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


def model_list(names: Sequence[str], facts: Mapping[str, JSON]) -> JSON:
    """Return the body of `GET /v1/models`; `facts` are what else is told of some of them."""
    head = {"object": "model", "created": CREATED, "owned_by": "library"}
    return {
        "object": "list",
        "data": [{"id": name, **head, **facts.get(name, {})} for name in names],
    }


def error_body(
    message: str, kind: str, code: str | int | None = None, param: str | None = None
) -> JSON:
    """Return the error envelope that most servers share."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
