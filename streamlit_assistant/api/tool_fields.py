"""The pieces of which requests with tools are made: the tools, and which of them must be called."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from streamlit_assistant.api.fields import BY_TYPE, Body, string_or, tag
from streamlit_assistant.api.validation import UNION_TAG, BadField
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import JSON

MOST_TOOLS, MOST_RUN_TOOLS = 128, 20


class CodeInterpreterTool(Body):
    """`{"type": "code_interpreter"}`"""

    type: Literal["code_interpreter"]


class RankingOptions(Body):
    """How file search results are ranked and cut."""

    score_threshold: Annotated[float, Field(ge=0, le=1)]
    ranker: Literal["auto", "default_2024_08_21"] | None = None


class FileSearchOptions(Body):
    """What a file search returns."""

    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class FileSearchTool(Body):
    """`{"type": "file_search"}`"""

    type: Literal["file_search"]
    file_search: FileSearchOptions | None = None


class FunctionDefinition(Body):
    """A function the model may call."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
    description: Annotated[str, StringConstraints(max_length=1024)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Body):
    """`{"type": "function"}`"""

    type: Literal["function"]
    function: FunctionDefinition


Tool = Annotated[
    Annotated[CodeInterpreterTool, tag("code_interpreter")]
    | Annotated[FileSearchTool, tag("file_search")]
    | Annotated[FunctionTool, tag("function")],
    BY_TYPE,
]


def _names_differ(tools: list[Tool]) -> list[Tool]:
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if not isinstance(tool, FunctionTool):
            continue
        if tool.function.name in seen:
            raise BadField(
                f"Invalid '{{param}}': the function name '{tool.function.name}' is already taken "
                "by a tool before it.",
                "invalid_value",
                f"[{index}].function.name",
            )
        seen.add(tool.function.name)
    return tools


Tools = Annotated[
    list[Tool], Field(max_length=MOST_TOOLS, fail_fast=True), AfterValidator(_names_differ)
]
RunTools = Annotated[
    list[Tool], Field(max_length=MOST_RUN_TOOLS, fail_fast=True), AfterValidator(_names_differ)
]


class NamedFunction(Body):
    """The function that must be called."""

    name: str


class NamedTool(Body):
    """The tool that must be called."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: NamedFunction | None = None

    @model_validator(mode="after")
    def _function_needs_a_name(self) -> "NamedTool":
        if self.type == "function" and self.function is None:
            raise BadField(
                "Missing required parameter: '{param}'.", "missing_required_parameter", ".function"
            )
        return self


def _object(value: Any) -> str | None:
    return f"{UNION_TAG}object" if isinstance(value, dict) else None


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], tag("string")]
    | Annotated[NamedTool, tag("object")],
    string_or(_object, "one of a string or object"),
]


def check_tool_choice(choice: NamedTool | str | None, tools: Sequence[JSON]) -> None:
    """Refuse a choice that the run's tools, its own or its assistant's, cannot meet."""
    if choice in (None, "none", "auto"):
        return
    if not tools:
        raise InvalidRequest(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
            "specified.",
            param="tool_choice",
            code="invalid_value",
        )
    if isinstance(choice, NamedTool) and not any(_is_meant(choice, tool) for tool in tools):
        named = choice.function.name if choice.function else choice.type
        raise InvalidRequest(
            f"Tool choice '{named[:64]}' not found in 'tools' parameter.",
            param="tool_choice",
            code="invalid_value",
        )


def _is_meant(choice: NamedTool, tool: JSON) -> bool:
    if choice.type != "function" or choice.function is None:
        return bool(tool["type"] == choice.type)
    return bool(tool["type"] == "function" and tool["function"]["name"] == choice.function.name)
