"""The body of a request for a chat completion, as its server understands it."""

import re
from collections.abc import Iterable

from streamlit_assistant.json_text import to_json
from streamlit_assistant.providers.base import ModelRequest
from streamlit_assistant.providers.chat.dialects import Dialect, Effort
from streamlit_assistant.providers.chat.messages import chat_messages
from streamlit_assistant.providers.chat.tools import tool_fields, tool_note
from streamlit_assistant.records import JSON

_LIMITS = ("max_tokens", "max_completion_tokens")
_NEEDED = frozenset({"model", "messages", "stream"})
_PARTS_OF_NAME = re.compile(r"[.\[\]]+")
_JSON_SCHEMA, _JSON_OBJECT = "json_schema", "json_object"
_ANY_OBJECT = {
    "type": _JSON_SCHEMA,
    _JSON_SCHEMA: {"name": "object", "schema": {"type": "object"}},
}
_BY_SCHEMA = (
    "Answer with one JSON value and with nothing else. It must follow this JSON schema:\n{}"
)


def request_body(request: ModelRequest, dialect: Dialect, server: str) -> JSON:
    """Return the body for a request.

    `server`: the name of the server, by which it is told what it said before.
    """
    refused = _refused(request.refused)
    form, form_note = (None, "") if "response_format" in refused else _form(request, dialect)
    notes = tool_note(request, dialect, refused), form_note
    body: JSON = {
        "model": request.model,
        "messages": chat_messages(request, notes, dialect, server, refused),
        "stream": True,
        "stream_options": {"include_usage": True} if dialect.asks_usage else None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "response_format": form,
        **_effort(request.reasoning_effort, dialect),
        **_limit(request.max_completion_tokens, dialect, refused),
        **tool_fields(request, dialect, refused),
    }
    left_out = refused - _NEEDED
    return {
        name: value for name, value in body.items() if value is not None and name not in left_out
    }


def suspect(body: JSON) -> str | None:
    """Return the parameter because of which a server may have answered with nothing at all.

    llama-cpp-python ends its stream before the first chunk where it does not know a value.
    """
    if body.get("tool_choice", "none") != "none":
        return "tool_choice"
    form = body.get("response_format")
    return "response_format" if form and form["type"] == _JSON_SCHEMA else None


def _refused(names: Iterable[str]) -> frozenset[str]:
    """Return the names with their parts: `tools[0].function.strict` is about `strict`.

    A refused part refuses the whole only where we send the whole for its sake.
    """
    found: set[str] = set()
    for name in names:
        parts = [part for part in _PARTS_OF_NAME.split(name.removeprefix("body.")) if part]
        found.update(parts[-1:])
        if parts and parts[0] not in ("tools", "messages"):
            found.add(parts[0])
    return frozenset(found)


def _form(request: ModelRequest, dialect: Dialect) -> tuple[JSON | None, str]:
    """Return the response format, and what the model is told where the format alone will not do."""
    form = request.response_format
    if isinstance(form, str) or form["type"] == "text":
        return None, ""  # what is not asked for need not be understood
    if form["type"] == _JSON_SCHEMA and not dialect.knows_schemas:
        schema = to_json(form[_JSON_SCHEMA].get("schema") or {})
        return {"type": _JSON_OBJECT}, _BY_SCHEMA.format(schema)
    if form["type"] == _JSON_OBJECT and not dialect.knows_json_object:
        return _ANY_OBJECT, ""
    return form, ""


def _effort(effort: str | None, dialect: Dialect) -> JSON:
    if effort is None:
        return {}
    thinks = effort != "none"
    plain = {"reasoning_effort": effort}
    match dialect.effort:
        case Effort.PLAIN:
            return plain
        case Effort.OBJECT:
            return {"reasoning": {"effort": effort}}
        case Effort.SWITCH:
            switch: JSON = {"thinking": {"type": "enabled" if thinks else "disabled"}}
        case Effort.TEMPLATE:
            # Templates differ in what they call the switch, and ignore what they do not know.
            switch = {"chat_template_kwargs": {"enable_thinking": thinks, "thinking": thinks}}
    return switch | plain if thinks else switch


def _limit(most: int | None, dialect: Dialect, refused: frozenset[str]) -> JSON:
    if most is None:
        return {}
    # Other servers know only the old name; OpenAI's newer models only the new one.
    names = sorted(_LIMITS, key=lambda name: name != dialect.max_tokens)
    name = next((name for name in names if name not in refused), None)
    return {} if name is None else {name: most}
