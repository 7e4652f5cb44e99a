from typing import Any

import pytest

from streamlit_assistant.providers.model_list import read_models


def only(**fields: Any) -> Any:
    [known] = read_models({"data": [{"id": "m", **fields}]})
    return known


@pytest.mark.parametrize(
    ("fields", "capabilities"),
    [
        ({}, None),
        ({"capabilities": None}, None),
        ({"capabilities": "all"}, None),
        # OpenRouter
        (
            {
                "supported_parameters": ["tools", "structured_outputs", "temperature", 3],
                "architecture": {"input_modalities": ["text", "image", "file"]},
            },
            {"tools", "json_schema", "vision", "files"},
        ),
        (
            {
                "supported_parameters": ["temperature", "response_format"],
                "architecture": {"input_modalities": ["text"]},
            },
            set(),
        ),
        ({"supported_parameters": ["tools"], "architecture": "odd"}, {"tools", "vision"}),
        # Mistral
        (
            {"capabilities": {"completion_chat": True, "function_calling": True, "vision": False}},
            {"tools", "json_schema"},
        ),
        (
            {"capabilities": {"function_calling": False, "vision": True}},
            {"vision", "json_schema"},
        ),
        # LM Studio and llama.cpp
        ({"capabilities": ["tool_use"], "type": "llm"}, {"tools", "json_schema"}),
        ({"capabilities": [], "type": "vlm"}, {"tools", "json_schema", "vision"}),
        ({"capabilities": ["completion", "multimodal"]}, {"tools", "json_schema", "vision"}),
        ({"capabilities": {"vision": True, "trained_for_tool_use": False}}, {"vision"}),
    ],
)
def test_what_a_model_can_do_is_read_where_the_list_tells(
    fields: dict[str, Any], capabilities: set[str] | None
) -> None:
    found = only(**fields).capabilities

    if capabilities is None:
        assert found is None
    else:
        assert found is not None
        assert found - {"json_schema"} == capabilities - {"json_schema"}
        assert capabilities <= found


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ("2027-01-14", "2027-01-14"),
        (None, None),
        ("soon", None),
        (1_800_000_000, None),
        ("2027-01-14T00:00:00", None),
    ],
)
def test_the_last_day_of_a_model_is_read(told: object, day: str | None) -> None:
    assert only(shutdown_date=told).shutdown_date == day


@pytest.mark.parametrize("body", [[], {}, {"data": None}, {"data": {}}, "text", None])
def test_what_is_no_list_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match="not a list of models"):
        read_models(body)


def test_what_is_no_model_is_left_out() -> None:
    listed = read_models({"data": [3, {}, {"id": 3}, {"id": "m", "created": "x", "owned_by": 3}]})

    assert [(known.id, known.created, known.owned_by) for known in listed] == [("m", 0, "upstream")]
