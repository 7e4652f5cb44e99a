"""What a scripted model server can be told to do with a request."""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import cycle
from types import MappingProxyType

from tests.upstream_items import Item
from tests.upstream_wire import JSON, OLLAMA, Call, Dialect, error_body


class Ending(Enum):
    """How an answer's stream ends."""

    PROPER = auto()  # finish reason, usage, [DONE]; or `response.completed`
    NO_FINISH = auto()  # [DONE], yet no finish reason before it
    EARLY = auto()  # a clean end of the response, nothing more: Ollama when its model crashes
    CUT = auto()  # the connection is closed inside the chunked body
    RESET = auto()  # the same with a TCP reset
    HANG = auto()  # the connection stays open and silent
    ERROR = auto()  # `data: {"error": ...}`
    FLAT_ERROR = auto()  # the same without the envelope
    FAILED = auto()  # the finish reason `error`; or `response.failed`
    BROKEN_JSON = auto()  # a frame whose JSON was cut, then the end


# Each `@` stands for a number and the space after it.
_SECTION = r"""

## About @and @

Some @words **in @bold** and `code @` cost $5, and @more at @$e^{i\pi} = -1$ in @中文 @words.

- One @
- Two @of @
  - with @another

1. First @
2. Then @

```python
def f(@, @):
    return @+ @
```

And so @on @it @goes @"""

# Sent one after the other; at an event the model waits until the test sets it.
Token = str | threading.Event


ErrorFields = Mapping[str, str | int | None]


def provider_error() -> ErrorFields:
    """OpenRouter's words for whatever went wrong behind it."""
    return {"code": 502, "message": "Provider returned error"}


@dataclass(frozen=True)
class Answer:
    """The model answers, or begins to."""

    tokens: Sequence[Token] = ()
    rate: float | None = None  # tokens a second; None is as fast as the line takes them
    delay: float = 0.0  # seconds before the first token
    thoughts: Sequence[str] = ()
    ending: Ending = Ending.PROPER
    reason: str = "stop"
    dialect: Dialect = OLLAMA
    as_one_body: bool = False  # JSON, although a stream was asked for
    calls: Sequence[Call] = ()  # after the tokens
    byte_by_byte: bool = False  # so that characters are cut in two between packets
    refusal: Sequence[str] = ()  # said after the tokens
    items: Sequence[Item] = ()  # of the Responses API, before the tokens
    annotations: Sequence[JSON] = ()  # of the tokens
    error: ErrorFields = field(default_factory=provider_error)  # for the endings that tell one
    cached: int = 0  # tokens of the prompt
    reasoned: int = 0  # tokens of the answer
    model: str | None = None  # who says to answer, if not the one that was asked
    strange: Sequence[JSON] = ()  # frames that no client has been told of, before the tokens
    torn_after: int | None = None  # tokens, after which the connection breaks, not the answer
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def text(self) -> str:
        """All that is said."""
        return "".join(token for token in self.tokens if isinstance(token, str))

    @property
    def length(self) -> int:
        """How many tokens that makes."""
        said = sum(isinstance(token, str) for token in self.tokens)
        return said + len(self.thoughts) + len(self.refusal)

    @property
    def is_empty(self) -> bool:
        """Whether nothing comes at all."""
        parts = (self.tokens, self.thoughts, self.refusal, self.items, self.calls, self.strange)
        return self.ending is Ending.EARLY and not any(parts)


@dataclass(frozen=True)
class Body:
    """The server answers something other than a completion."""

    content: JSON | list[JSON] | str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Silence:
    """The request is taken and never answered."""


Script = Answer | Body | Silence


def empty_stream() -> Answer:
    """A stream with no chunk: what llama-cpp-python makes of `tool_choice: required`."""
    return Answer(ending=Ending.EARLY)


def rate_limited(retry_after: str = "1", **headers: str) -> Body:
    """OpenAI's answer to too many requests."""
    message = "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1."
    body = error_body(message, "requests", "rate_limit_exceeded")
    return Body(body, 429, {"Retry-After": retry_after, "x-request-id": "req_429", **headers})


def out_of_credit() -> Body:
    """OpenAI's answer to an empty account: also a 429, and waiting does not help."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return Body(error_body(message, "insufficient_quota", "insufficient_quota"), 429)


def server_error(status: int = 500) -> Body:
    """A failure on the server's side."""
    message = "The server had an error while processing your request."
    return Body(error_body(message, "server_error"), status, {"x-request-id": f"req_{status}"})


def wrong_key(key: str = "sk-proj-abcdefghijklmnop1234") -> Body:
    """OpenAI's refusal of a key, which repeats a part of it."""
    shown = f"{key[:8]}{'*' * 12}{key[-4:]}"
    message = (
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    )
    return Body(error_body(message, "invalid_request_error", "invalid_api_key"), 401)


def context_too_long() -> Body:
    """OpenAI's refusal of a conversation that is too long."""
    message = (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "9001 tokens. Please reduce the length of the messages."
    )
    code = "context_length_exceeded"
    return Body(error_body(message, "invalid_request_error", code, "messages"), 400)


def llama_cpp_context_too_long() -> Body:
    """The same from llama.cpp, whose code is a number."""
    message = (
        "request (9001 tokens) exceeds the available context size (8192 tokens), try increasing it"
    )
    error = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return Body({"error": {**error, "n_prompt_tokens": 9001, "n_ctx": 8192}}, 400)


def model_not_found(model: str = "llama9") -> Body:
    """Ollama's answer when the model was never pulled."""
    return Body(error_body(f'model "{model}" not found', "not_found_error"), 404)


def web_page(status: int = 200) -> Body:
    """What answers when the address leads somewhere else, or a proxy is in the way."""
    title = "Welcome" if status < 400 else f"{status} Bad Gateway"
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>nginx</body></html>\n"
    return Body(html, status)


def numbered(count: int, rate: float | None = None) -> Answer:
    """An answer whose tokens carry their numbers: `t1 t2 t3 ...`."""
    return Answer([f"t{number} " for number in range(1, count + 1)], rate)


def markdown(count: int, rate: float | None = None) -> Answer:
    """The same with all that makes drawing hard: the numbers stand in markdown."""
    pieces = cycle(_SECTION.split("@")[:-1])
    return Answer([f"{next(pieces)}t{number} " for number in range(1, count + 1)], rate)


def spoken(text: str) -> Answer:
    """An answer that says the text, about a word a token."""
    return Answer(_split(text))


def _split(text: str) -> list[str]:
    # Like a tokenizer: a word with its space, or one Chinese character.
    return re.findall(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+", text)
