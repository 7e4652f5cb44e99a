"""The body of a request to the Responses API."""

import re
from typing import Any

from streamlit_assistant.providers.base import ModelRequest
from streamlit_assistant.providers.responses.input import input_items
from streamlit_assistant.providers.responses.shapes import as_text
from streamlit_assistant.records import JSON

FEWEST_TOKENS = 16  # OpenAI refuses to be asked for fewer
MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
INCLUDE, THOUGHTS = "include", "reasoning.encrypted_content"
_INCLUDED = {
    "file_search": "file_search_call.results",
    "code_interpreter": "code_interpreter_call.outputs",
}
_ESSENTIAL = {"model", "input", INCLUDE}
# Some servers name what they refuse by what it is called in Chat Completions.
_NAMES_OF_CHAT = {
    "reasoning_effort": "reasoning",
    "response_format": "text",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
}


def goes_on(request: ModelRequest, background: bool) -> bool:
    """Return whether the server is to go on with the answer without us."""
    # For that it stores the answer, for weeks.
    refused = request.private or request.refused & {"background", "store"}
    return background and not refused


def body_of(
    request: ModelRequest, server: str, *, hosts_tools: bool, background: bool
) -> dict[str, Any]:
    """Return the request as JSON; see `ResponsesProvider` for the last three."""
    body: dict[str, Any] = {
        "model": request.model,
        "instructions": request.instructions or None,
        "input": input_items(request.messages, server),
        "stream": True,
        "store": background,
        "background": background or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_output_tokens": most_tokens(request, hosts_tools=hosts_tools),
        "reasoning": _reasoning(request, hosts_tools),
        "text": _text(request),
        "include": included(request, hosts_tools=hosts_tools, stored=background) or None,
        **_tools(request, hosts_tools),
    }
    if hosts_tools:
        # Of these only OpenAI knows.
        body["stream_options"] = {"include_obfuscation": False}
        body["metadata"] = _metadata(request) or None
    for name in request.refused:
        _leave_out(body, name)
    return {name: value for name, value in body.items() if value is not None}


def most_tokens(request: ModelRequest, *, hosts_tools: bool) -> int | None:
    """Return how many tokens the answer may have."""
    asked = request.max_completion_tokens
    return max(asked, FEWEST_TOKENS) if asked is not None and hosts_tools else asked


def included(request: ModelRequest, *, hosts_tools: bool, stored: bool) -> list[str]:
    """Return what the answer is to tell that it does not tell unasked."""
    kinds = {as_text(tool.get("type")) for tool in request.hosted_tools} if hosts_tools else set()
    include = [name for kind, name in _INCLUDED.items() if kind in kinds]
    # What a server that knows these refuses is the thoughts of a model that has none.
    thoughtless = any(name.startswith((INCLUDE, THOUGHTS)) for name in request.refused)
    return include if stored or thoughtless else [THOUGHTS, *include]


def _reasoning(request: ModelRequest, hosts_tools: bool) -> JSON | None:
    if request.reasoning_effort is None:
        return None
    reasoning: JSON = {"effort": request.reasoning_effort}
    if hosts_tools and request.reasoning_effort != "none":
        reasoning["summary"] = "auto"
    return reasoning


def _text(request: ModelRequest) -> JSON | None:
    wanted = request.response_format
    if not isinstance(wanted, dict):
        return None  # "auto" is no format here
    schema = wanted.get("json_schema") or {}
    told = {name: value for name, value in schema.items() if value is not None}
    return {"format": {"type": wanted["type"], **told}}


def _tools(request: ModelRequest, hosts_tools: bool) -> dict[str, Any]:
    hosted = [dict(tool) for tool in request.hosted_tools] if hosts_tools else []
    tools = [*map(_function, request.functions), *hosted]
    if not tools:
        return {}
    told: dict[str, Any] = {"tools": tools, "tool_choice": _choice(request.tool_choice, tools)}
    if not request.parallel_tool_calls:
        told["parallel_tool_calls"] = False
    return told


def _function(function: JSON) -> JSON:
    told = {name: value for name, value in function.items() if value is not None}
    # Left out, it would mean yes here, and the schema would be bent until it fits.
    strict = bool(told.get("strict"))
    nothing: JSON = {"type": "object", "properties": {}}
    return {"type": "function", "parameters": nothing, **told, "strict": strict}


def _choice(choice: str, tools: list[JSON]) -> str | JSON | None:
    kind, _, name = choice.partition(":")
    match kind:
        case "auto":
            return None
        case "function":
            return {"type": "function", "name": name}
        case "hosted" if name == "mcp":
            labels = (as_text(tool.get("server_label")) for tool in tools)
            return {"type": "mcp", "server_label": next(filter(None, labels), "")}
        case "hosted":
            return {"type": name}
    return kind


def _metadata(request: ModelRequest) -> dict[str, str]:
    traced = list(request.trace.items())[:MOST_METADATA]
    return {name[:LONGEST_KEY]: value[:LONGEST_VALUE] for name, value in traced}


def _leave_out(body: dict[str, Any], parameter: str) -> None:
    """Take out a parameter; of thoughts a part of it, elsewhere the whole to which it belongs."""
    name, *rest = re.split(r"[.\[]", parameter)
    name = _NAMES_OF_CHAT.get(name, name)
    if name == "reasoning" and rest and body[name] is not None:
        body[name].pop(rest[0], None)
        body[name] = body[name] or None
    elif name not in _ESSENTIAL:
        body.pop(name, None)
