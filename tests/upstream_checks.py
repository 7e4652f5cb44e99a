"""What OpenAI's `/v1/responses` refuses, as far as a client of it can get it wrong."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import get_args

from openai.types.responses import ResponseIncludable
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from tests.upstream_input import items_of
from tests.upstream_replies import RESPONSES, Received
from tests.upstream_rules import bad_request
from tests.upstream_scripts import Body
from tests.upstream_wire import JSON

PARAMETERS = {
    *ResponseCreateParamsNonStreaming.__annotations__,
    *ResponseCreateParamsStreaming.__annotations__,
}
INCLUDABLE = set(get_args(ResponseIncludable))
PARTS = {
    "user": {"input_text", "input_image", "input_file"},
    "system": {"input_text", "input_image", "input_file"},
    "developer": {"input_text", "input_image", "input_file"},
    "assistant": {"output_text", "refusal"},
}
PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
CHOICES = {"none", "auto", "required"}
FORMATS = {"text", "json_object", "json_schema"}

# By the id of an output item: the id of the thinking that it needs beside it, if any.
Known = Mapping[str, str | None]
Complaints = Iterator[Body]


def check(received: Received, known: Known) -> Body | None:
    """Return the refusal of a request, or None; `known` are the items that the server keeps."""
    if received.path != RESPONSES:
        return None
    body = received.body
    items = items_of(body)
    for complaints in (
        _parameters(body),
        _tools(body),
        _items(items),
        _pairs(items),
        _references(items, known, stored=body.get("store") is not False),
    ):
        for refusal in complaints:
            return refusal
    return None


def _parameters(body: JSON) -> Complaints:
    for name in body.keys() - PARAMETERS:
        yield bad_request(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    for name in set(body.get("include") or ()) - INCLUDABLE:
        yield _invalid("include", name)
    if body.get("previous_response_id"):
        message = f"Previous response with id '{body['previous_response_id']}' not found."
        yield bad_request(message, "previous_response_id", "previous_response_not_found")
    if body.get("background") and body.get("store") is False:
        yield bad_request("Background mode requires 'store' to be true.", "background")
    form = (body.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] not in FORMATS:
        yield _invalid("text.format.type", form["type"])
    if form["type"] == "json_schema" and "schema" not in form:
        yield _missing("text.format.schema")
    if form["type"] == "json_object" and "json" not in json.dumps(body.get("input")).lower():
        yield bad_request(
            "Response input messages must contain the word 'json' in some form to use "
            "'text.format' of type 'json_object'.",
            "input",
        )
    yield from _metadata(body.get("metadata") or {})


def _metadata(metadata: JSON) -> Complaints:
    if len(metadata) > 16:
        message = f"Invalid 'metadata': too many properties. Got {len(metadata)}, at most 16."
        yield bad_request(message, "metadata", "object_above_max_properties")
    for name, value in metadata.items():
        if not isinstance(value, str) or len(name) > 64 or len(value) > 512:
            yield _invalid(f"metadata.{name}", str(value))


def _tools(body: JSON) -> Complaints:
    for place, tool in enumerate(body.get("tools") or ()):
        for name in {"function": ("name", "parameters", "strict")}.get(tool["type"], ()):
            if name not in tool:  # whoever leaves out `strict` gets another schema than it wrote
                yield _missing(f"tools[{place}].{name}")
        if tool["type"] == "file_search" and not tool.get("vector_store_ids"):
            yield _missing(f"tools[{place}].vector_store_ids")
        if tool["type"] == "code_interpreter" and not tool.get("container"):
            yield _missing(f"tools[{place}].container")
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, str) and choice not in CHOICES:
        yield _invalid("tool_choice", choice)
    if isinstance(choice, dict) and choice["type"] == "function" and "name" not in choice:
        yield _missing("tool_choice.name")


def _items(items: list[JSON]) -> Complaints:
    for place, item in enumerate(items):
        kind = item.get("type", "message")
        prefix = PREFIXES.get(kind)
        if prefix and item.get("id") and not str(item["id"]).startswith(prefix):
            message = f"Invalid 'input[{place}].id': '{item['id']}'."
            message += f" Expected an ID that begins with '{prefix}'."
            yield bad_request(message, f"input[{place}].id", "invalid_value")
        if kind != "message" or isinstance(item["content"], str):
            continue
        for index, part in enumerate(item["content"]):
            if part["type"] not in PARTS[item["role"]]:
                yield _invalid(f"input[{place}].content[{index}]", part["type"])
            if part["type"] == "input_image" and isinstance(part.get("image_url"), dict):
                yield _invalid(f"input[{place}].content[{index}].image_url", "object")


def _pairs(items: list[JSON]) -> Complaints:
    called = [item["call_id"] for item in items if item.get("type") == "function_call"]
    told = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    for call_id in called:
        if call_id not in told:
            yield bad_request(f"No tool output found for function call {call_id}.", "input")
    for call_id in told:
        if call_id not in called:
            message = f"No tool call found for function call output with call_id {call_id}."
            yield bad_request(message, "input")


def _references(items: list[JSON], known: Known, *, stored: bool) -> Complaints:
    ids = {item["id"] for item in items if item.get("id")}
    for item in items:
        item_id = item.get("id")
        whole = item.get("type") == "reasoning" and item.get("encrypted_content")
        if whole and not str(whole).startswith("encrypted rs_"):
            message = f"The encrypted content for item {item_id} could not be verified."
            yield bad_request(message, None, "invalid_encrypted_content")
        if item_id and not whole and (item_id not in known or not stored):
            message = f"Item with id '{item_id}' not found."
            message += "" if stored else " Items are not persisted when `store` is set to false."
            yield bad_request(message, "input")
        needed = known.get(item_id) if item_id else None
        if needed and needed not in ids:
            message = f"Item '{item_id}' of type '{item['type']}' was provided without its"
            yield bad_request(f"{message} required 'reasoning' item: '{needed}'.", "input")
    for item, follower in pairwise([*items, {"type": "nothing"}]):
        kind = follower.get("type", "message")
        followed = kind.endswith(("_call", "reasoning")) or follower.get("role") == "assistant"
        if item.get("type") == "reasoning" and not followed:
            message = f"Item '{item.get('id')}' of type 'reasoning' was provided without its"
            yield bad_request(f"{message} required following item.", "input")


def _invalid(name: str, value: str) -> Body:
    return bad_request(f"Invalid value: '{value}'.", name, "invalid_value")


def _missing(name: str) -> Body:
    message = f"Missing required parameter: '{name}'."
    return bad_request(message, name, "missing_required_parameter")
