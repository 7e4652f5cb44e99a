"""The functions a model is offered in a chat completion, and how it is told to call one."""

from collections.abc import Sequence

from streamlit_assistant.providers.base import CallsMessage, ModelRequest
from streamlit_assistant.providers.chat.dialects import Dialect
from streamlit_assistant.records import JSON

ANY = ""  # whichever function, as long as it is one

_CALL_ANY = "Answer with a call of one of the functions that you were given, and with no text."
_CALL_ONE = "Answer with a call of the function `{}`, and with no text."


def forced_function(request: ModelRequest) -> str | None:
    """Return the function that the model must call: its name, or `ANY`; None if it need not."""
    kind, _, name = request.tool_choice.partition(":")
    if request.functions and kind == "required":
        return ANY
    return name if request.functions and kind == "function" else None


def tool_fields(request: ModelRequest, dialect: Dialect, refused: frozenset[str]) -> JSON:
    """Return the fields of the body that concern functions."""
    is_sent = dialect.sends_tool_choice and "tool_choice" not in refused
    functions = _offered(request, is_sent, is_sent and dialect.keeps_tool_choice)
    if not functions or "tools" in refused:
        return {}
    fields: JSON = {"tools": [_tool(function, refused) for function in functions]}
    kind, _, name = request.tool_choice.partition(":")
    if is_sent and kind == "function":
        fields["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif is_sent and kind in ("none", "required"):
        fields["tool_choice"] = kind
    if not request.parallel_tool_calls:
        # Where it is not known several calls may come all the same; none of them is dropped.
        fields["parallel_tool_calls"] = False
    return fields


def tool_note(request: ModelRequest, dialect: Dialect, refused: frozenset[str]) -> str:
    """Return what the model is told in words because the parameter would not make it happen.

    What stands in for a parameter that was refused is said by whoever has seen the refusal.
    """
    forced = forced_function(request)
    if forced is None or dialect.keeps_tool_choice or refused & {"tools", "tool_choice"}:
        return ""
    return _CALL_ONE.format(forced) if forced else _CALL_ANY


def _offered(request: ModelRequest, is_sent: bool, is_kept: bool) -> Sequence[JSON]:
    if request.tool_choice == "none":
        # What is not offered cannot be called, by no server. But some refuse calls and outputs in
        # the conversation unless they are told what was called: there `none` has to do.
        has_calls = any(isinstance(turn, CallsMessage) for turn in request.messages)
        return request.functions if has_calls and is_kept else ()
    if (forced := forced_function(request)) and not is_sent:
        # The next best thing to naming the function is to offer no other.
        return [each for each in request.functions if each.get("name") == forced]
    return request.functions


def _tool(function: JSON, refused: frozenset[str]) -> JSON:
    sent = {name: value for name, value in function.items() if value is not None}
    if not sent.get("strict") or "strict" in refused:
        sent.pop("strict", None)  # what is not asked for need not be understood
    # Some servers stumble over a function without parameters.
    sent.setdefault("parameters", {"type": "object", "properties": {}})
    return {"type": "function", "function": sent}
