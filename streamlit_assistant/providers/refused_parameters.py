"""Parameters that a model does not accept: which can be left out, and what takes their place."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import ModelRequest, Noticed
from streamlit_assistant.records import Clock

# By their names on the wire, of both APIs. What belongs to one is written `reasoning.effort`.
SAMPLING = {
    *("temperature", "top_p", "top_k", "min_p", "seed"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty"),
    *("logprobs", "top_logprobs", "logit_bias"),
}
THINKING = {"reasoning_effort", "reasoning", "thinking", "enable_thinking", "chat_template_kwargs"}
LIMITS = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
FORM = {"response_format", "text"}
TECHNICAL = {
    *("parallel_tool_calls", "stream_options", "store", "background", "include", "metadata"),
    *("truncation", "service_tier", "user", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention", "verbosity"),
}
DROPPABLE = SAMPLING | THINKING | LIMITS | FORM | TECHNICAL | {"tool_choice"}
# Cannot be left out, but whoever refuses them can be told from others.
TOOLS, IMAGES = "tools", "image_url"
REMEMBERED_SECONDS = 600.0

_EFFORT = {"reasoning_effort", "reasoning", "reasoning.effort", "thinking"}
_ANY_FORM = {"response_format", "text", "text.format"}

_BY_SCHEMA = "Answer with JSON that fits this schema, and with nothing else:\n{}"

# Names that are words as well are only taken for names in quotes, or after what announces one.
_WORDS = {"text", "user", "seed", "store", "background", "include", "metadata"}
_WORDS |= {"reasoning", "thinking", "truncation", "verbosity", TOOLS}
_NAMES = "|".join(sorted((DROPPABLE | {TOOLS}) - _WORDS, key=len, reverse=True))
_ANY = "|".join(sorted(DROPPABLE | {TOOLS}, key=len, reverse=True))
_PART = r"(?:\.\w+)*"
_REFUSED = re.compile(
    r"not support|unsupported|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed"
    r"|unavailable|deprecated|extra_forbidden"
    # Not: cannot be negative, or greater than something. That is about one person's value.
    r"|cannot (?:both )?be (?:\w+ )?(?:set|sent|given|used|passed|specified|provided|supplied)"
    r"|cannot (?:both )?be (?:\w+ )?(?:present|combined|changed|modified|configured|enabled)"
    r"|only \S+ is (?:allowed|supported)|only the default",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"['\"`](?P<quoted>(?:{_ANY}){_PART})['\"`]"
    rf"|(?:param|parameter|argument|argument supplied|arguments supplied|field|property)"
    rf"s?:? ['\"`]?(?P<announced>(?:{_ANY}){_PART})\b"
    rf"|(?<![\w.-])(?P<bare>(?:{_NAMES}){_PART})\b"
)
_FORBIDDEN = re.compile(r"extra_forbidden.{0,40}?loc\W{1,8}body\W{1,6}(\w+)", re.DOTALL)
_TOOLLESS = re.compile(
    r"does(?: not|n't) support (?:tools|tool use|tool calling|function calling|functions)\b"
    r"|enable-auto-tool-choice|tools param requires",
    re.IGNORECASE,
)
_SCHEMALESS = re.compile(r"Input should be 'text' or 'json_object'")
_THOUGHTLESS = re.compile(r"does(?: not|n't) support (?:thinking|reasoning)\b", re.IGNORECASE)


def plainly_refused(words: str) -> str | None:
    """Return the parameter that is refused in words that some servers say with whatever status."""
    if _TOOLLESS.search(words):
        return TOOLS
    return "response_format" if _SCHEMALESS.search(words) else None


def named_parameter(words: str) -> str | None:
    """Return the parameter that the words of a refusal say is not accepted."""
    if _THOUGHTLESS.search(words):
        return "reasoning_effort"
    if forbidden := _FORBIDDEN.search(words):
        return forbidden[1]
    if not _REFUSED.search(words):
        return None
    found = _NAMED.search(words)
    return None if found is None else next(filter(None, found.groups()))


def says_refused(words: str) -> bool:
    """Return whether words that come with a parameter's name say that it is not accepted."""
    return bool(_REFUSED.search(words))


def root(parameter: str) -> str:
    """Return `reasoning` of `reasoning.effort`, `include` of `include[0]`."""
    return re.split(r"[.\[]", parameter, maxsplit=1)[0]


class RefusedParameters:
    """What each model was seen to refuse, for a while: another one may be loaded in its place.

    Where a model may refuse one value and take another, as of efforts, it is remembered of the
    value: what one person asked for in vain is not withheld from another who asks for less.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        # By server and model: until when, of a parameter and its value.
        self._known: dict[tuple[str, str], dict[tuple[str, str], float]] = {}

    def of(self, server: str, request: ModelRequest) -> frozenset[str]:
        """Return what the model of a request refuses of it, by the names on the wire."""
        known, now = self._known.get((server, request.model), {}), self._clock()
        return frozenset(
            name
            for (name, value), until in known.items()
            if now < until and value == _value(name, request)
        )

    def note(self, server: str, request: ModelRequest, parameters: frozenset[str]) -> None:
        """Remember what the model of a request has refused of it."""
        now = self._clock()
        known = self._known.setdefault((server, request.model), {})
        for outdated in [key for key, until in known.items() if until <= now]:
            del known[outdated]
        known |= {(name, _value(name, request)): now + REMEMBERED_SECONDS for name in parameters}


def droppable(parameter: str | None, request: ModelRequest) -> str | None:
    """Return the parameter if the same request can be made without it, and was not yet."""
    if parameter is None or parameter in request.refused or root(parameter) not in DROPPABLE:
        return None
    return parameter


def missed(request: ModelRequest) -> Iterator[str]:
    """Yield what somebody has set, would care about and is refused, by our own names for it."""
    refused = request.refused
    if request.temperature is not None and "temperature" in refused:
        yield "temperature"
    if request.top_p is not None and "top_p" in refused:
        yield "top_p"
    if request.max_completion_tokens is not None and _refuses_limits(refused):
        yield "max_completion_tokens"
    if request.reasoning_effort is not None and refused & _EFFORT:
        yield "reasoning_effort"
    if request.response_format not in ("auto", {"type": "text"}) and refused & _ANY_FORM:
        yield "response_format"
    if request.tool_choice != "auto" and "tool_choice" in refused:
        yield "tool_choice"


def notice(parameter: str, model: str) -> Noticed:
    """Say that a parameter was left out."""
    return Noticed(
        "parameter_refused",
        f"{model} does not accept '{parameter}', so it was asked without it.",
        {"parameter": parameter, "model": model},
    )


def with_stand_ins(request: ModelRequest) -> ModelRequest:
    """Ask in words for what cannot be asked for by a parameter."""
    words = list(_stand_ins(request))
    if not words:
        return request
    return replace(request, instructions="\n\n".join(filter(None, [request.instructions, *words])))


def _stand_ins(request: ModelRequest) -> Iterator[str]:
    form = request.response_format
    if isinstance(form, dict) and request.refused & _ANY_FORM:
        if form.get("type") == "json_schema":
            schema = (form.get("json_schema") or {}).get("schema") or {}
            yield _BY_SCHEMA.format(to_json(schema))
        elif form.get("type") == "json_object":
            yield "Answer with one JSON object, and with nothing else."
    kind, _, name = request.tool_choice.partition(":")
    if "tool_choice" in request.refused and kind == "function":
        yield f"Answer with a call of the function {name}, and with no text."
    elif "tool_choice" in request.refused and kind == "required":
        yield "Answer with a call of one of the functions, and with no text."


def _value(parameter: str, request: ModelRequest) -> str:
    """Return what is asked for by a parameter of which there are few values; else nothing."""
    match root(parameter):
        case name if name in THINKING:
            return request.reasoning_effort or ""
        case name if name in FORM:
            form = request.response_format
            return form if isinstance(form, str) else str(form.get("type"))
        case "tool_choice":
            return request.tool_choice.partition(":")[0]
    return ""


def _refuses_limits(refused: frozenset[str]) -> bool:
    # Refused one of the two names of Chat Completions, an adapter uses the other.
    both = {"max_tokens", "max_completion_tokens"}
    return "max_output_tokens" in refused or both <= refused
