"""Bad input in OpenAI's words: pydantic's findings become one `InvalidRequest`.

Texts and codes follow captured error bodies of the hosted API. It names one problem at a time:
unknown and missing parameters first, then wrong types, then wrong values.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streamlit_assistant.errors import InvalidRequest

M = TypeVar("M", bound=BaseModel)

LONGEST_SHOWN = 100  # characters of a wrong value
UNION_TAG = "tag:"  # marks the names of union branches, which pydantic puts into the path

_TYPE_NAMES = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


class BadField(ValueError):
    """What a validator of our own found; `{param}` in the message stands for the path."""

    def __init__(self, message: str, code: str, inside: str = "") -> None:
        """`inside` is the path within the field, such as `.key`."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.inside = inside


def parse(model: type[M], body: Any) -> M:
    """Return the validated request, or raise `InvalidRequest` for its most basic problem."""
    if not isinstance(body, dict):
        raise InvalidRequest(
            f"Invalid request body: expected an object, but got {describe(body)} instead.",
            code="invalid_type",
        )
    if (unknown := _unknown_key(model, body)) is not None:
        raise _unknown(unknown, {}, None)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise _explain(min(found, key=_rank)) from None


def _unknown_key(model: type[BaseModel], body: dict[str, Any]) -> str | None:
    # Asked first, because pydantic would make an error of each of a million keys.
    return next((key[:LONGEST_SHOWN] for key in body if key not in model.model_fields), None)


def invalid(param: str, message: str, code: str) -> InvalidRequest:
    """Return an error about one parameter: `Invalid 'param': message`."""
    return InvalidRequest(f"Invalid '{param}': {message}", param=param, code=code)


def describe(value: Any) -> str:
    """Return what a JSON value is, as the messages name it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a decimal number"
        case list():
            return "an array"
        case _:
            return "an object"


def _rank(error: ErrorDetails) -> int:
    kind = error["type"]
    if kind == "extra_forbidden":
        return 0
    if kind in ("missing", "union_tag_not_found"):
        return 1
    return 2 if kind in _TYPE_NAMES or kind == "any_of_type" else 3


def _explain(error: ErrorDetails) -> InvalidRequest:
    param = _path(error["loc"])
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    expected = _expected_type(error)
    if expected is not None:
        return InvalidRequest(
            f"Invalid type for '{param}': expected {expected}, but got {describe(given)} instead.",
            param=param,
            code="invalid_type",
        )
    return _EXPLANATIONS.get(kind, _value_error)(param, context, given)


def _expected_type(error: ErrorDetails) -> str | None:
    kind = error["type"]
    if kind == "union_tag_not_found" and not isinstance(error["input"], dict):
        return "an object"
    return error["msg"] if kind == "any_of_type" else _TYPE_NAMES.get(kind)


def _unknown(param: str, _context: Mapping[str, Any], _given: Any) -> InvalidRequest:
    return InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def _missing(param: str, _context: Mapping[str, Any], _given: Any) -> InvalidRequest:
    return InvalidRequest(
        f"Missing required parameter: '{param}'.",
        param=param,
        code="missing_required_parameter",
    )


def _missing_tag(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    return _missing(f"{param}.type", context, given)


def _not_allowed(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    return _unsupported(param, context["expected"], given)


def _wrong_tag(param: str, context: Mapping[str, Any], _given: Any) -> InvalidRequest:
    expected = context["expected_tags"].replace(UNION_TAG, "")
    return _unsupported(f"{param}.type", expected, context["tag"].removeprefix(UNION_TAG))


def _unsupported(param: str, expected: str, given: Any) -> InvalidRequest:
    values = re.findall(r"'[^']*'|\d+", expected)
    listed = (
        ", ".join(values[:-1]) + f", and {values[-1]}"
        if len(values) > 2
        else (" and ".join(values))
    )
    shown = given if isinstance(given, str) else json.dumps(given)
    return InvalidRequest(
        f"Invalid value: '{shown[:LONGEST_SHOWN]}'. Supported values are: {listed}.",
        param=param,
        code="invalid_value",
    )


def _too_long(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    limit = context["max_length"]
    return invalid(
        param,
        f"string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {len(given)} instead.",
        "string_above_max_length",
    )


def _too_short(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    limit = context["min_length"]
    return invalid(
        param,
        f"string too short. Expected a string with minimum length {limit}, "
        f"but got a string with length {len(given)} instead.",
        "string_below_min_length",
    )


def _wrong_pattern(param: str, context: Mapping[str, Any], _given: Any) -> InvalidRequest:
    return invalid(
        param,
        "string does not match pattern. Expected a string that matches the pattern "
        f"'{context['pattern']}'.",
        "invalid_value",
    )


def _array_too_long(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    return invalid(
        param,
        f"array too long. Expected an array with maximum length {context['max_length']}, "
        f"but got an array with length {len(given)} instead.",
        "array_above_max_length",
    )


def _array_too_short(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    return invalid(
        param,
        f"empty array. Expected an array with minimum length {context['min_length']}, "
        f"but got {'an empty array' if not given else len(given)} instead.",
        "empty_array",
    )


def _above(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    noun = _number_noun(context["le"])
    return invalid(
        param,
        f"{noun} above maximum value. Expected a value <= {_number(context['le'])}, "
        f"but got {given} instead.",
        f"{noun}_above_max_value",
    )


def _below(param: str, context: Mapping[str, Any], given: Any) -> InvalidRequest:
    noun = _number_noun(context["ge"])
    return invalid(
        param,
        f"{noun} below minimum value. Expected a value >= {_number(context['ge'])}, "
        f"but got {given} instead.",
        f"{noun}_below_min_value",
    )


def _value_error(param: str, context: Mapping[str, Any], _given: Any) -> InvalidRequest:
    cause = context.get("error")
    if isinstance(cause, BadField):
        path = f"{param}{cause.inside}"
        return InvalidRequest(cause.message.replace("{param}", path), param=path, code=cause.code)
    return InvalidRequest(f"Invalid value for '{param}'.", param=param, code="invalid_value")


_EXPLANATIONS: dict[str, Callable[[str, Mapping[str, Any], Any], InvalidRequest]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "union_tag_not_found": _missing_tag,
    "union_tag_invalid": _wrong_tag,
    "literal_error": _not_allowed,
    "string_too_long": _too_long,
    "string_too_short": _too_short,
    "string_pattern_mismatch": _wrong_pattern,
    "too_long": _array_too_long,
    "too_short": _array_too_short,
    "less_than_equal": _above,
    "greater_than_equal": _below,
}


def _number_noun(bound: float) -> str:
    # Pydantic gives the bound in the field's own type, whatever was sent.
    return "decimal" if isinstance(bound, float) else "integer"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith(UNION_TAG):
            path += f".{part}" if path else part
    return path
