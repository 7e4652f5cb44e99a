"""Holds what the API answers against OpenAI's published schema, more strictly than it asks.

An answer must not carry a field that the schema lacks, except those which the hosted service
was seen to send and the few that are this server's own. What the schema says about requests is not
used here.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match

from tests.sse import Event, parse_events
from tests.stream_order import check_order

SPEC = Path(__file__).parent / "spec" / "openapi-assistants.yaml"
API_PREFIX = "/v1"

# Fields of the hosted service's real answers that its published schema lacks.
KNOWN_EXTRAS: dict[str, dict[str, Any]] = {
    # A file may be created for "evals", says the schema, but none may be answered with it.
    "OpenAIFile": {"purpose": {"type": "string"}},
    "AssistantObject": {"reasoning_effort": {"$ref": "#/components/schemas/ReasoningEffort"}},
    "RunObject": {
        "reasoning_effort": {"$ref": "#/components/schemas/ReasoningEffort"},
        "tool_resources": {"type": "object"},
    },
}
# This server's own: they say what the protocol has no place for, and only where there is something.
_USAGE: dict[str, Any] = {
    "estimated": {"const": True},
    "prompt_token_details": {"type": "object"},
    "completion_tokens_details": {"type": "object"},
}
EXTENSIONS: dict[str, dict[str, Any]] = {
    "RunObject": {
        "notices": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["code", "message", "details"]},
        }
    },
    "ThreadObject": {"temporary": {"const": True}},
    "MessageObject": {
        "reasoning": {"type": "string", "minLength": 1},
        "langchain": {
            "type": "object",
            "required": ["type", "data"],
            "properties": {
                "type": {"type": "string", "minLength": 1},
                "data": {"type": ["object", "string"]},
            },
            "additionalProperties": False,
        },
    },
    "RunCompletionUsage": _USAGE,
    "RunStepCompletionUsage": _USAGE,
}
FIRST_TIMESTAMP_IN_MILLISECONDS = 100_000_000_000


class SpecViolation(AssertionError):
    """Something is not as the specification has it."""


class HttpResponse(Protocol):
    """What httpx, httpx2 and Starlette's test client have in common."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Any: ...
    @property
    def request(self) -> Any: ...
    @property
    def content(self) -> bytes: ...


class Spec:
    """The specification, ready to be asked."""

    def __init__(self, document: dict[str, Any]) -> None:
        schemas = document["components"]["schemas"]
        for name, extras in (*KNOWN_EXTRAS.items(), *EXTENSIONS.items()):
            # What may be null is one of several.
            schema = schemas[name].get("anyOf", [schemas[name]])[0]
            schema["properties"] |= extras
        for schema in schemas.values():
            _close(schema)
        self._paths: dict[str, Any] = document["paths"]
        self._event_data = dict(_event_data(schemas, "AssistantStreamEvent"))
        # OpenAI's client raises only for the nested form, so the flat one of the schema is wrong.
        self._event_data["error"] = _ref("ErrorResponse")
        # References are resolved from the root of the schema that is asked, so all of it is there.
        self._components = {"components": document["components"]}
        self._formats = FormatChecker(formats=("date",))
        self._formats.checks("unixtime")(_is_in_seconds)

    def operation_ids(self, *methods: str) -> list[str]:
        """Return the name of every operation there is, of these methods if any are named."""
        operations = (item.items() for item in self._paths.values())
        return [
            each["operationId"]
            for item in operations
            for method, each in item
            if "responses" in each and (not methods or method in methods)
        ]

    def operation_id(self, method: str, path: str) -> str:
        """Return the name of the operation that a request asks for; `path` as on the wire."""
        operation = self._path_item(path.removeprefix(API_PREFIX)).get(method.lower(), {})
        return str(operation.get("operationId", "none"))

    def check(self, name: str, value: Any) -> None:
        """Check an object against a named schema, e.g. `RunObject`."""
        self._check(_ref(name), value, name)

    def check_error(self, body: Any) -> None:
        """Check the body of an error answer."""
        self.check("ErrorResponse", body)

    def check_response(self, method: str, path: str, status: int, body: Any) -> None:
        """Check an answer's parsed body, given the request it answers; `path` as on the wire."""
        title = f"{method} {path} -> {status}"
        if status >= 400:
            self._check(_ref("ErrorResponse"), body, title)
        else:
            self._check(self._response_schema(method, path, status, title), body, title)

    def check_http(self, response: HttpResponse) -> None:
        """Check a whole answer: status, content type, and body or stream of events."""
        request, status = response.request, response.status_code
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind == "text/event-stream" and status == 200:
            self.check_stream(parse_events(response.content))
            return
        if kind != "application/json":
            raise SpecViolation(f"{request.method} {request.url}: content type {kind!r}")
        body = json.loads(response.content)
        self.check_response(request.method, request.url.path, status, body)

    def check_event(self, event: str, data: Any) -> None:
        """Check one event; `data` is the frame's text, or what was parsed from it."""
        if event not in self._event_data:
            raise SpecViolation(f"unknown event {event!r}")
        if isinstance(data, str) and event != "done":
            data = json.loads(data)
        self._check(self._event_data[event], data, event)

    def check_stream(self, events: Iterable[Event | tuple[str, Any]]) -> None:
        """Check every event of a whole stream, and that their order is a legal one."""
        pairs = [(item[-2], item[-1]) for item in events]  # an `Event` has its id before these
        for event, data in pairs:
            self.check_event(event, data)
        check_order([(event, _parsed(event, data)) for event, data in pairs])

    def _check(self, schema: dict[str, Any], value: Any, title: str) -> None:
        validator = Draft202012Validator(self._components | schema, format_checker=self._formats)
        error = best_match(validator.iter_errors(value))
        if error is not None:
            raise SpecViolation(f"{title}: {_explain(error)}")

    def _response_schema(self, method: str, path: str, status: int, title: str) -> dict[str, Any]:
        operation = self._path_item(path.removeprefix(API_PREFIX)).get(method.lower(), {})
        response = operation.get("responses", {}).get(str(status))
        if response is None:
            raise SpecViolation(f"{title}: the specification knows no such answer")
        schema: dict[str, Any] = response["content"]["application/json"]["schema"]
        return schema

    def _path_item(self, path: str) -> dict[str, Any]:
        parts = path.split("/")
        fitting = [template for template in self._paths if _fits(template.split("/"), parts)]
        # `/threads/runs` also fits `/threads/{thread_id}`: the one with fewer holes is meant.
        best = min(fitting, key=lambda template: template.count("{"), default="")
        return self._paths.get(best, {})  # type: ignore[no-any-return]


@cache
def load_spec() -> Spec:
    """Read the specification; all callers share one."""
    return Spec(yaml.load(SPEC.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _close(schema: Any) -> None:
    """Let no object have properties which it does not name, here and in all parts."""
    if isinstance(schema, list):
        for part in schema:
            _close(part)
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)


def _event_data(schemas: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names of a union's events with the schemas of their data."""
    schema = schemas[name]
    if "oneOf" not in schema:
        yield schema["properties"]["event"]["enum"][0], schema["properties"]["data"]
        return
    for branch in schema["oneOf"]:
        if "$ref" in branch:
            yield from _event_data(schemas, branch["$ref"].rpartition("/")[2])
        else:
            yield branch["properties"]["event"]["enum"][0], branch["properties"]["data"]


def _parsed(event: str, data: Any) -> Any:
    return json.loads(data) if isinstance(data, str) and event != "done" else data


def _fits(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        bool(part) if hole.startswith("{") else hole == part
        for hole, part in zip(template, parts, strict=True)
    )


def _is_in_seconds(value: object) -> bool:
    return not isinstance(value, int) or 0 <= value < FIRST_TIMESTAMP_IN_MILLISECONDS


def _explain(error: ValidationError) -> str:
    where = error.json_path.removeprefix("$") or "the whole"
    return f"{where}: {error.message[:600]}"
