"""A row of the matrix: what a model server does, and what must come of it for everybody."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tests.upstream_rules import Rule
from tests.upstream_scripts import Script
from tests.upstream_wire import JSON, OLLAMA, Dialect

CHAT, RESPONSES = "chat", "responses"
BOTH = (CHAT, RESPONSES)

NAME = "My name is Ada."
ASK_WEATHER = f'{NAME} Please call get_weather({{"city": "Oslo"}})'
OSLO, ROME = '{"city": "Oslo"}', '{"city": "罗马"}'
ASK_TWICE = f"{NAME} Please call get_weather({OSLO}) and call get_weather({ROME})"
WEATHER: JSON = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
WITH_TOOLS: Mapping[str, Any] = MappingProxyType({"tools": [WEATHER]})
SCHEMA: JSON = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {}}},
}


@dataclass(frozen=True)
class Expected:
    """What a run comes to.

    `words` stand in the error; `page` is the key of what the page says, None: nothing. `text` is
    the stored answer, None: there is none; `reason` is why it is incomplete. `calls` are the
    arguments of the functions that the client is asked to call. `asked` is how often the model
    server was asked.
    """

    status: str
    code: str | None = None
    words: str = ""
    page: str | None = None
    text: str | None = None
    reason: str | None = None
    run_reason: str | None = None
    refusal: str | None = None
    calls: Sequence[str] = ()
    notices: Sequence[str] = ()
    thinking: str | None = None
    asked: int | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One quirk or failure.

    `host` is whose server it is, by its name on the network. `assistant`, `run` and `later` are
    what the program asks for: of the assistant, of the run, of the run after it. `dialect` is how
    answers without a script are written, `facts` what the list of models tells of the model.
    `sends` is told every body that the server was sent.
    """

    name: str
    expected: Expected
    scripts: Sequence[Script] = ()
    rules: Sequence[Rule] = ()
    apis: Sequence[str] = BOTH
    host: str | None = None
    model: str = "scripted"
    question: str | Sequence[JSON] = NAME
    assistant: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    later: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    dialect: Dialect = OLLAMA
    facts: Mapping[str, Any] = field(default_factory=dict)
    sends: Callable[[Sequence[JSON]], bool] | None = None


def answered(text: str, **more: Any) -> Expected:
    """The answer is there."""
    return Expected("completed", text=text, **more)


def failed(words: str, code: str = "server_error", **more: Any) -> Expected:
    """The run fails, and the page says why."""
    page = "ending.failed" if code == "server_error" else f"ending.failed.{code}"
    reason = "run_failed" if more.get("text") or more.get("refusal") else None
    return Expected("failed", code, words, page, **{"reason": reason, **more})


def busy(words: str, **more: Any) -> Expected:
    """The run fails because too much is asked for, or too much was spent."""
    return failed(words, "rate_limit_exceeded", **more)


def unfit(words: str, **more: Any) -> Expected:
    """The run fails because of what it asks."""
    return failed(words, "invalid_prompt", **more)


def too_long(text: str, **more: Any) -> Expected:
    """The answer ends at its greatest length."""
    known: dict[str, Any] = {"reason": "max_tokens", "run_reason": "max_completion_tokens"}
    return Expected("incomplete", page="ending.incomplete", text=text, **known, **more)


def filtered(text: str | None, **more: Any) -> Expected:
    """The answer ends because of what it says."""
    page = "ending.incomplete.content_filter"
    reason = "content_filter" if text else None
    return Expected("incomplete", page=page, text=text, reason=reason, **more)


def calls(*arguments: str, **more: Any) -> Expected:
    """The client is asked to call `get_weather` with these."""
    return Expected("requires_action", page="ending.requires_action", calls=arguments, **more)
