"""The attributes of a vector store's files, and the filters over them that a search may have."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints, model_validator

from streamlit_assistant.api.fields import (
    BY_TYPE,
    MOST_METADATA,
    MOST_METADATA_KEY,
    MOST_METADATA_VALUE,
    Body,
    tag,
)
from streamlit_assistant.api.validation import BadField, describe

MOST_FILTERS = 100  # in all, however they are nested
MOST_FILTER_DEPTH = 10
LONGEST_KEY = 512  # characters of a key that is asked for

_SCALAR = "one of a string, number, or boolean"


def _count_attributes(value: Any) -> Any:
    # Before anything looks at the pairs: there may be a million.
    if isinstance(value, dict) and len(value) > MOST_METADATA:
        raise BadField(
            f"Invalid '{{param}}': too many properties. Expected an object with at most "
            f"{MOST_METADATA} properties, but got an object with {len(value)} properties instead.",
            "object_above_max_properties",
        )
    return value


def _check_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    for key, value in attributes.items():
        if len(key) > MOST_METADATA_KEY:
            raise BadField(
                f"Invalid property name in 'attributes': '{key}' is too long. Expected a string "
                f"with maximum length {MOST_METADATA_KEY}, but got a string with length "
                f"{len(key)} instead.",
                "property_name_above_max_length",
                f".{key}",
            )
        _check_scalar(value, f".{key}", _SCALAR)
        if isinstance(value, str) and len(value) > MOST_METADATA_VALUE:
            raise BadField(
                f"Invalid '{{param}}': string too long. Expected a string with maximum length "
                f"{MOST_METADATA_VALUE}, but got a string with length {len(value)} instead.",
                "string_above_max_length",
                f".{key}",
            )
    return attributes


def _check_scalar(value: Any, inside: str, expected: str, *refused: type) -> None:
    # A boolean is an int to Python.
    if not isinstance(value, str | int | float) or isinstance(value, refused):
        raise BadField(
            f"Invalid type for '{{param}}': expected {expected}, "
            f"but got {describe(value)} instead.",
            "invalid_type",
            inside,
        )


Attributes = Annotated[
    dict[str, Any], BeforeValidator(_count_attributes), AfterValidator(_check_attributes)
]


class ComparisonFilter(Body):
    """Compares one attribute with a value, or with several."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: Annotated[str, StringConstraints(max_length=LONGEST_KEY)]
    value: Any

    @model_validator(mode="after")
    def _value_fits_the_comparison(self) -> "ComparisonFilter":
        if self.type not in ("in", "nin"):
            _check_scalar(self.value, ".value", _SCALAR)
        elif not isinstance(self.value, list):
            raise BadField(
                "Invalid type for '{param}': expected an array, "
                f"but got {describe(self.value)} instead.",
                "invalid_type",
                ".value",
            )
        else:
            for index, item in enumerate(self.value):
                _check_scalar(item, f".value[{index}]", "one of a string or number", bool)
        return self


class CompoundFilter(Body):
    """All of several filters, or any of them."""

    type: Literal["and", "or"]
    filters: "list[Filter]"


Filter = Annotated[
    Annotated[ComparisonFilter, tag("eq")]
    | Annotated[ComparisonFilter, tag("ne")]
    | Annotated[ComparisonFilter, tag("gt")]
    | Annotated[ComparisonFilter, tag("gte")]
    | Annotated[ComparisonFilter, tag("lt")]
    | Annotated[ComparisonFilter, tag("lte")]
    | Annotated[ComparisonFilter, tag("in")]
    | Annotated[ComparisonFilter, tag("nin")]
    | Annotated[CompoundFilter, tag("and")]
    | Annotated[CompoundFilter, tag("or")],
    BY_TYPE,
]


def _bound_filters(value: Any) -> Any:
    # Level by level, because what is too deep must not be followed into its depth.
    level, count = [value], 0
    for _ in range(MOST_FILTER_DEPTH):
        count += len(level)
        nested = [item.get("filters") for item in level if isinstance(item, dict)]
        level = [inner for filters in nested if isinstance(filters, list) for inner in filters]
        if not level or count > MOST_FILTERS:
            break
    if level or count > MOST_FILTERS:
        raise BadField(
            f"Invalid '{{param}}': expected at most {MOST_FILTERS} filters, nested at most "
            f"{MOST_FILTER_DEPTH} deep.",
            "invalid_value",
        )
    return value


SearchFilter = Annotated[Filter, BeforeValidator(_bound_filters)]
