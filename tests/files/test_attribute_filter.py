"""Filters meet the files that are meant, and no others."""

from typing import Any

import pytest

from streamlit_assistant.file_records import AttributeValue
from streamlit_assistant.files.attribute_filter import matches

ATTRIBUTES: dict[str, AttributeValue] = {
    "lang": "zh",
    "year": 2024,
    "size": 1.5,
    "public": True,
    "one": "1",
}


def compare(kind: str, key: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "key": key, "value": value}


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("eq", "lang", "zh", True),
        ("eq", "lang", "en", False),
        ("ne", "lang", "en", True),
        ("ne", "lang", "zh", False),
        ("eq", "year", 2024.0, True),
        ("gt", "year", 2023, True),
        ("gt", "year", 2024, False),
        ("gte", "year", 2024, True),
        ("lt", "size", 2, True),
        ("lte", "size", 1.4, False),
        ("gt", "lang", "en", True),
        ("in", "lang", ["en", "zh"], True),
        ("in", "lang", [], False),
        ("nin", "lang", ["en", "zh"], False),
        ("nin", "lang", ["en"], True),
        ("eq", "public", True, True),
        ("ne", "public", False, True),
    ],
)
def test_a_comparison(kind: str, key: str, value: Any, expected: bool) -> None:
    assert matches(compare(kind, key, value), ATTRIBUTES) is expected


@pytest.mark.parametrize(
    ("key", "value"), [("one", 1), ("public", 1), ("year", "2024"), ("lang", True)]
)
def test_values_of_different_kinds_are_neither_equal_nor_in_order(key: str, value: Any) -> None:
    for kind in ("eq", "gt", "gte", "lt", "lte"):
        assert not matches(compare(kind, key, value), ATTRIBUTES)
    assert not matches(compare("in", key, [value]), ATTRIBUTES)
    assert matches(compare("ne", key, value), ATTRIBUTES)


def test_a_missing_attribute_is_met_only_by_what_it_is_not() -> None:
    met = [
        kind
        for kind in ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")
        if matches(compare(kind, "missing", ["x"] if "in" in kind else "x"), ATTRIBUTES)
    ]

    assert met == ["ne", "nin"]


def test_filters_are_combined_to_any_depth() -> None:
    chinese, old = compare("eq", "lang", "zh"), compare("lt", "year", 2000)
    either = {"type": "or", "filters": [old, chinese]}

    assert matches(either, ATTRIBUTES)
    assert not matches({"type": "and", "filters": [either, old]}, ATTRIBUTES)
    assert matches({"type": "and", "filters": [either, compare("ne", "year", 1)]}, ATTRIBUTES)
