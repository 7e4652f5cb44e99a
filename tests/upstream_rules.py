"""What model servers refuse or get wrong because of what a request says, server by server.

A rule is given a request and returns what happens instead of an answer, or None.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.upstream_replies import CHAT, RESPONSES, Received
from tests.upstream_scripts import Body, Script, empty_stream
from tests.upstream_wire import JSON, error_body

Rule = Callable[[Received], Script | None]

_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Body:
    """OpenAI's way to refuse what a request says."""
    return Body(error_body(message, "invalid_request_error", code, param), 400)


def refuses(*names: str) -> Rule:
    """OpenAI: the model does not know these parameters; `a.b` is the field b of a."""

    def rule(received: Received) -> Script | None:
        for name in names:
            if _given(received.body, name) is not None:
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                return Body(_refusal(message, name, "unsupported_parameter"), 400)
        return None

    return rule


def refuses_values(*names: str) -> Rule:
    """OpenAI: the model takes nothing but the default for these parameters."""

    def rule(received: Received) -> Script | None:
        for name in names:
            value = _given(received.body, name)
            if value is not None:
                message = (
                    f"Unsupported value: '{name}' does not support {value} with this model. "
                    "Only the default (1) value is supported."
                )
                return Body(_refusal(message, name, "unsupported_value"), 400)
        return None

    return rule


def refuses_old_limit(received: Received) -> Script | None:
    """OpenAI's newer models: the old name of the limit is refused, and the new one told."""
    if "max_tokens" not in received.body:
        return None
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead."
    )
    return Body(_refusal(message, "max_tokens", "unsupported_parameter"), 400)


def refuses_in_prose(*names: str) -> Rule:
    """FastAPI servers: the parameter is named in a sentence only."""

    def rule(received: Received) -> Script | None:
        for name in names:
            if _given(received.body, name) is not None:
                return Body({"detail": f"Unsupported parameter: {name}"}, 400)
        return None

    return rule


def knows_only(*models: str) -> Rule:
    """OpenAI: there is no other model."""

    def rule(received: Received) -> Script | None:
        model = received.body.get("model")
        if model in models:
            return None
        message = f"The model `{model}` does not exist or you do not have access to it."
        return Body(error_body(message, "invalid_request_error", "model_not_found"), 404)

    return rule


def has_no_responses(received: Received) -> Script | None:
    """Most servers: there is no such endpoint."""
    return Body({"detail": "Not Found"}, 404) if received.path == RESPONSES else None


def has_no_tools_on_chat(received: Received) -> Script | None:
    """OpenAI's GPT-6 models: tools only on the Responses API."""
    if received.path != CHAT or not received.body.get("tools"):
        return None
    return bad_request(
        "Function tools with reasoning_effort are not supported for this model in "
        "/v1/chat/completions. Please use /v1/responses instead.",
        "reasoning_effort",
    )


def wants_thoughts_back(received: Received) -> Script | None:
    """DeepSeek: the thinking of a turn with calls belongs to the conversation."""
    for message in received.body.get("messages", ()):
        if message.get("tool_calls") and "reasoning_content" not in message:
            return bad_request(
                "The `reasoning_content` in the thinking mode must be passed back to the API."
            )
    return None


def wants_signatures_back(received: Received) -> Script | None:
    """Gemini: the first call of a turn carries a signature of the thinking before it."""
    for message in received.body.get("messages", ()):
        for call in (message.get("tool_calls") or ())[:1]:
            extra = call.get("extra_content") or {}
            if not extra.get("google", {}).get("thought_signature"):
                name = call["function"]["name"]
                error = {
                    "code": 400,
                    "message": f"Function call is missing a thought_signature: {name}.",
                    "status": "INVALID_ARGUMENT",
                }
                return Body([{"error": error}], 400)
    return None


def wants_short_ids(received: Received) -> Script | None:
    """Mistral: ids of calls have nine letters and digits."""
    for call_id in _call_ids(received.body):
        if not _SHORT_ID.fullmatch(call_id):
            message = f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9."
            error = {"object": "error", "message": message, "type": "invalid_request_message_order"}
            return Body({**error, "param": None, "code": "3230"}, 400)
    return None


def wants_content(received: Received) -> Script | None:
    """Templates: a message whose content is null makes them crash."""
    messages = received.body.get("messages", ())
    if any(message.get("content") is None for message in messages):
        return Body(error_body("can only concatenate str (not NoneType) to str", "api_error"), 500)
    return None


def wants_strings(received: Received) -> Script | None:
    """Templates: a list of parts, though all of it is text, makes them crash."""
    messages = received.body.get("messages", ())
    if any(isinstance(message.get("content"), list) for message in messages):
        return Body(error_body("can only concatenate str (not list) to str", "api_error"), 500)
    return None


def cannot_require_tools(received: Received) -> Script | None:
    """llama-cpp-python: a 500, or a stream in which nothing comes."""
    if received.body.get("tool_choice") != "required":
        return None
    broken = Body(error_body("'str' object has no attribute 'get'", "internal_server_error"), 500)
    return empty_stream() if received.body.get("stream") else broken


def has_no_schemas(received: Received) -> Script | None:
    """llama-cpp-python: no `json_schema`."""
    form = received.body.get("response_format") or {}
    if form.get("type") != "json_schema":
        return None
    message = "Input should be 'text' or 'json_object': response_format.type"
    return Body(error_body(message, "internal_server_error"), 500)


def is_blind(received: Received) -> Script | None:
    """llama.cpp without a projector: no images."""
    told = (message.get("content") for message in received.messages)
    parts = (part for content in told if isinstance(content, list) for part in content)
    if not any(part.get("type") in ("image_url", "input_image") for part in parts):
        return None
    message = "image input is not supported - hint: you may need to provide the mmproj"
    return Body({"error": {"code": 500, "message": message, "type": "server_error"}}, 500)


def lacks_tool_flags(received: Received) -> Script | None:
    """vLLM, started without its flags: no choice of its own among tools."""
    body = received.body
    if not body.get("tools") or body.get("tool_choice", "auto") != "auto":
        return None
    message = (
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    )
    return Body({**error_body(message, "BadRequestError", 400)}, 400)


def pairs_calls(received: Received) -> Script | None:
    """OpenAI's Chat Completions: each call has its output right behind it, and the reverse."""
    waiting: list[str] = []
    for place, message in enumerate(received.body.get("messages", ())):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                return bad_request(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    f"messages.[{place}].role",
                )
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = [call.get("id") for call in message.get("tool_calls") or ()]
    if not waiting:
        return None
    return bad_request(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        f"{', '.join(map(str, waiting))}",
        "messages",
    )


def _call_ids(body: JSON) -> Iterator[str]:
    for message in body.get("messages", ()):
        yield from (call["id"] for call in message.get("tool_calls") or ())
        if message.get("role") == "tool":
            yield message["tool_call_id"]


def _given(body: JSON, name: str) -> Any:
    value: Any = body
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _refusal(message: str, param: str, code: str) -> JSON:
    return error_body(message, "invalid_request_error", code, param)
