"""What model servers understand of the Chat Completions protocol: plain data, one record a server.

All say that they speak it. Where they differ, the record says what this one takes. What nobody
knows of is treated like the many that follow OpenAI's older documents closely.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from streamlit_assistant.records import JSON

LOADING_SECONDS = 300.0  # a model that is loaded from disk first may need minutes
HOSTED_SECONDS = 120.0  # nothing is loaded there, but some models think long before a word

ANY_ID = r"(?s:.+)"  # LiteLLM hides a signature in them, so they are kept where they can be
PLAIN_ID = r"[A-Za-z0-9_-]{1,40}"  # OpenAI takes no longer ones, Anthropic no other letters
SHORT_ID = r"[A-Za-z0-9]{9}"  # of Mistral's templates


class Effort(StrEnum):
    """How a server is told how long to think: the name of the field."""

    PLAIN = "reasoning_effort"
    OBJECT = "reasoning"
    SWITCH = "thinking"  # on or off, and how much in `reasoning_effort`
    TEMPLATE = "chat_template_kwargs"  # as variables of the model's template


class InlineThinking(StrEnum):
    """Whether what a model thinks may stand in the answer's text, between tags."""

    NEVER = "never"
    TAGGED = "tagged"
    UNOPENED = "unopened"  # with some models even without the opening tag


@dataclass(frozen=True)
class Dialect:
    """What one kind of server understands.

    `sends_tool_choice`: the parameter is of use there. `keeps_tool_choice`: what it asks for
    happens. `echoes`: it may be sent the fields back that it added to its own messages; those in
    `echo_always` it must be sent, even when empty. `unsigned_calls`: what is added to calls that
    it did not make itself. `first_token_seconds`: how long the first bytes may take. `call_ids`:
    the ids of calls that it takes, as a regular expression. `takes_repeats`: the same side may
    speak twice in a row, as it does where an answer failed; some models' templates refuse it.
    """

    name: str
    first_token_seconds: float = LOADING_SECONDS
    max_tokens: str = "max_tokens"
    asks_usage: bool = True
    effort: Effort = Effort.PLAIN
    sends_tool_choice: bool = True
    keeps_tool_choice: bool = True
    knows_schemas: bool = True
    knows_json_object: bool = True
    reads_files: bool = False
    fetches_images: bool = True
    inline_thinking: InlineThinking = InlineThinking.TAGGED
    echoes: bool = True
    echo_always: Sequence[str] = ()
    unsigned_calls: JSON | None = None
    call_ids: str = ANY_ID
    takes_repeats: bool = True


# Some models leave the opening tag out wherever they run.
UNKNOWN = Dialect("unknown", inline_thinking=InlineThinking.UNOPENED)

OPENAI = Dialect(
    "openai",
    HOSTED_SECONDS,
    max_tokens="max_completion_tokens",  # the newer models refuse the old name
    reads_files=True,
    inline_thinking=InlineThinking.NEVER,
    echoes=False,
    call_ids=PLAIN_ID,
)
AZURE = Dialect(
    "azure",
    HOSTED_SECONDS,
    max_tokens="max_completion_tokens",
    echoes=False,
    call_ids=PLAIN_ID,
)
OLLAMA = Dialect(
    "ollama",
    sends_tool_choice=False,  # its code has no such field
    keeps_tool_choice=False,
    fetches_images=False,
)
LLAMA_CPP = Dialect(
    "llama.cpp",
    keeps_tool_choice=False,  # taken, but the model is free to answer all the same
    inline_thinking=InlineThinking.UNOPENED,
    takes_repeats=False,
)
LLAMA_CPP_PYTHON = Dialect(
    "llama-cpp-python",
    sends_tool_choice=False,  # `required` brings an empty stream
    keeps_tool_choice=False,
    knows_schemas=False,
    inline_thinking=InlineThinking.UNOPENED,
    takes_repeats=False,
)
VLLM = Dialect(
    "vllm",
    effort=Effort.TEMPLATE,
    inline_thinking=InlineThinking.UNOPENED,
    takes_repeats=False,
)
LM_STUDIO = Dialect(
    "lmstudio",
    knows_json_object=False,
    inline_thinking=InlineThinking.UNOPENED,
    takes_repeats=False,
)
OPENROUTER = Dialect(
    "openrouter",
    HOSTED_SECONDS,
    effort=Effort.OBJECT,
    reads_files=True,
    call_ids=PLAIN_ID,
)
DEEPSEEK = Dialect(
    "deepseek",
    HOSTED_SECONDS,
    effort=Effort.SWITCH,
    knows_schemas=False,
    inline_thinking=InlineThinking.NEVER,
    # Refused otherwise, once its model has thought in a conversation with calls.
    echo_always=("reasoning_content",),
)
MISTRAL = Dialect(
    "mistral",
    HOSTED_SECONDS,
    asks_usage=False,  # counts without being asked, and refuses every field it does not know
    echoes=False,
    call_ids=SHORT_ID,
)
GEMINI = Dialect(
    "gemini",
    HOSTED_SECONDS,
    inline_thinking=InlineThinking.NEVER,
    # Calls without a signature of its own are refused; Google names this one for those.
    unsigned_calls={
        "extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}
    },
)
# Groq and Cerebras send what their models think, but refuse to be sent it back.
STRICT = Dialect("strict", HOSTED_SECONDS, echoes=False)

# By the end of the host's name.
_HOSTS = {
    "openai.com": OPENAI,
    "azure.com": AZURE,
    "openrouter.ai": OPENROUTER,
    "deepseek.com": DEEPSEEK,
    "mistral.ai": MISTRAL,
    "googleapis.com": GEMINI,
    "groq.com": STRICT,
    "cerebras.ai": STRICT,
}
_PORTS = {11434: OLLAMA, 1234: LM_STUDIO}
# By what the list of models says of whose they are; hosted servers and proxies name anybody.
_OWNERS = {
    "llamacpp": LLAMA_CPP,
    "me": LLAMA_CPP_PYTHON,
    "vllm": VLLM,
    "sglang": VLLM,  # takes the same variables
    "organization_owner": LM_STUDIO,
    "organization-owner": LM_STUDIO,
}
_LLAMA_CPP_BUILD = re.compile(r"b\d{3,6}-[0-9a-f]{6,40}")


def dialect_of(base_url: str, owners: Iterable[str] = ()) -> Dialect:
    """Return how the server at an address speaks; `owners`: `owned_by` of the models it lists."""
    url = urlsplit(base_url)
    host = url.hostname or ""
    for name, dialect in _HOSTS.items():
        if host == name or host.endswith(f".{name}"):
            return dialect
    # Said by the server itself, this counts for more than a port that others may use too.
    for owner in owners:
        if owner in _OWNERS:
            return _OWNERS[owner]
    try:
        return _PORTS.get(url.port or 0, UNKNOWN)
    except ValueError:  # not a number
        return UNKNOWN


def dialect_heard(fingerprint: object) -> Dialect | None:
    """Return who signs answers with this `system_fingerprint`, if anybody known does."""
    if not isinstance(fingerprint, str):
        return None
    if fingerprint == "fp_ollama":
        return OLLAMA
    return LLAMA_CPP if _LLAMA_CPP_BUILD.fullmatch(fingerprint) else None
