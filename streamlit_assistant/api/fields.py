"""The pieces of which request bodies are made: limits and unions of the Assistants API."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from streamlit_assistant.api.validation import UNION_TAG, BadField

MOST_CONTENT = 256_000  # characters of a message or of instructions
MOST_TOKENS = 2**31 - 1
MOST_PARTS = 100  # of a message
MOST_METADATA, MOST_METADATA_KEY, MOST_METADATA_VALUE = 16, 64, 512

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
TokenLimit = Annotated[int, Field(ge=256, le=MOST_TOKENS)]
Instructions = Annotated[str, StringConstraints(max_length=MOST_CONTENT)]


class Body(BaseModel):
    """A JSON object in which every key must be known and every value of its very type."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


def _by_type(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return None if kind is None else f"{UNION_TAG}{kind}"


def _tag(name: str) -> Tag:
    return Tag(f"{UNION_TAG}{name}")


BY_TYPE = Discriminator(_by_type)


def _string_or(branch: Callable[[Any], str | None], expected: str) -> Discriminator:
    def choose(value: Any) -> str | None:
        return f"{UNION_TAG}string" if isinstance(value, str) else branch(value)

    # Pydantic's own message would not say what was expected.
    return Discriminator(
        choose,
        custom_error_type="any_of_type",
        custom_error_message=expected,
    )


def _array(value: Any) -> str | None:
    return f"{UNION_TAG}array" if isinstance(value, list) else None


def _check_metadata(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        if len(key) > MOST_METADATA_KEY:
            raise BadField(
                f"Invalid property name in 'metadata': '{key}' is too long. Expected a string "
                f"with maximum length {MOST_METADATA_KEY}, but got a string with length "
                f"{len(key)} instead.",
                "property_name_above_max_length",
                f".{key}",
            )
        if len(text) > MOST_METADATA_VALUE:
            raise BadField(
                f"Invalid '{{param}}': string too long. Expected a string with maximum length "
                f"{MOST_METADATA_VALUE}, but got a string with length {len(text)} instead.",
                "string_above_max_length",
                f".{key}",
            )
    return value


def _count_metadata(value: Any) -> Any:
    # Before anything looks at the pairs: there may be a million.
    if isinstance(value, dict) and len(value) > MOST_METADATA:
        raise BadField(
            f"Invalid '{{param}}': too many properties. Expected an object with at most "
            f"{MOST_METADATA} properties, but got an object with {len(value)} properties instead.",
            "object_above_max_properties",
        )
    return value


Metadata = Annotated[
    dict[str, str], BeforeValidator(_count_metadata), AfterValidator(_check_metadata)
]


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
    Annotated[CodeInterpreterTool, _tag("code_interpreter")]
    | Annotated[FileSearchTool, _tag("file_search")]
    | Annotated[FunctionTool, _tag("function")],
    BY_TYPE,
]


class CodeInterpreterResources(Body):
    """Files for the code interpreter."""

    file_ids: Annotated[list[str], Field(max_length=20, fail_fast=True)] = []


class FileSearchResources(Body):
    """Vector stores for file search."""

    vector_store_ids: Annotated[list[str], Field(max_length=1, fail_fast=True)] = []
    vector_stores: Annotated[list[dict[str, Any]], Field(max_length=1, fail_fast=True)] = []


class ToolResources(Body):
    """What the tools may read."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


class PlainFormat(Body):
    """`{"type": "text"}` or `{"type": "json_object"}`"""

    type: Literal["text", "json_object"]


class JsonSchema(Body):
    """A schema that the answer must follow."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class JsonSchemaFormat(Body):
    """`{"type": "json_schema"}`"""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[
    Annotated[Literal["auto"], _tag("string")]
    | Annotated[PlainFormat, _tag("text")]
    | Annotated[PlainFormat, _tag("json_object")]
    | Annotated[JsonSchemaFormat, _tag("json_schema")],
    _string_or(_by_type, "'auto' or an object with a known 'type'"),
]


class NamedFunction(Body):
    """The function that must be called."""

    name: str


class NamedTool(Body):
    """The tool that must be called."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: NamedFunction | None = None


def _object(value: Any) -> str | None:
    return f"{UNION_TAG}object" if isinstance(value, dict) else None


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], _tag("string")]
    | Annotated[NamedTool, _tag("object")],
    _string_or(_object, "one of a string or object"),
]


class Truncation(Body):
    """How much of the thread the model is shown."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None

    @model_validator(mode="after")
    def _last_messages_needs_a_number(self) -> "Truncation":
        if self.type == "last_messages" and self.last_messages is None:
            raise BadField(
                "Missing required parameter: '{param}'.",
                "missing_required_parameter",
                ".last_messages",
            )
        return self


class TextPart(Body):
    """`{"type": "text", "text": "…"}`"""

    type: Literal["text"]
    text: Annotated[str, StringConstraints(max_length=MOST_CONTENT)]


class ImageUrl(Body):
    """Where an image is."""

    url: Annotated[str, StringConstraints(pattern=r"^(https?://|data:image/)")]
    detail: Literal["auto", "low", "high"] | None = None


class ImageUrlPart(Body):
    """`{"type": "image_url"}`"""

    type: Literal["image_url"]
    image_url: ImageUrl


class ImageFile(Body):
    """Which uploaded file is the image."""

    file_id: str
    detail: Literal["auto", "low", "high"] | None = None


class ImageFilePart(Body):
    """`{"type": "image_file"}`"""

    type: Literal["image_file"]
    image_file: ImageFile


ContentPart = Annotated[
    Annotated[TextPart, _tag("text")]
    | Annotated[ImageUrlPart, _tag("image_url")]
    | Annotated[ImageFilePart, _tag("image_file")],
    BY_TYPE,
]

Content = Annotated[
    Annotated[str, StringConstraints(max_length=MOST_CONTENT), _tag("string")]
    | Annotated[
        list[ContentPart],
        Field(min_length=1, max_length=MOST_PARTS, fail_fast=True),
        _tag("array"),
    ],
    _string_or(_array, "one of a string or array of objects"),
]
