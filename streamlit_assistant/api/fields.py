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
    field_validator,
    model_validator,
)

from streamlit_assistant.api.validation import UNION_TAG, BadField

MOST_CONTENT = 256_000  # characters of a message or of instructions
MOST_TOKENS = 2**31 - 1
MOST_PARTS = 100  # of a message
MOST_STORE_FILES = 10_000  # in a vector store that is made together with what will use it
LEAST_CHUNK_TOKENS, MOST_CHUNK_TOKENS = 100, 4096
MOST_METADATA, MOST_METADATA_KEY, MOST_METADATA_VALUE = 16, 64, 512

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
TokenLimit = Annotated[int, Field(ge=256, le=MOST_TOKENS)]
Instructions = Annotated[str, StringConstraints(max_length=MOST_CONTENT)]


class Body(BaseModel):
    """A JSON object in which every key must be known and every value of its very type."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


def by_type(value: Any) -> str | None:
    """Return the name of the union's branch that the value's `type` names."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return None if kind is None else f"{UNION_TAG}{kind}"


def tag(name: str) -> Tag:
    """Return the mark of a union's branch."""
    return Tag(f"{UNION_TAG}{name}")


BY_TYPE = Discriminator(by_type)


def string_or(branch: Callable[[Any], str | None], expected: str) -> Discriminator:
    """Return what tells a string from the union's other branches, which `branch` names."""

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


class CodeInterpreterResources(Body):
    """Files for the code interpreter."""

    file_ids: Annotated[list[str], Field(max_length=20, fail_fast=True)] = []


class StaticChunking(Body):
    """How long a chunk is and how much of it the next one repeats."""

    max_chunk_size_tokens: Annotated[int, Field(ge=LEAST_CHUNK_TOKENS, le=MOST_CHUNK_TOKENS)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _overlap_is_at_most_half(self) -> "StaticChunking":
        if self.chunk_overlap_tokens > self.max_chunk_size_tokens // 2:
            raise BadField(
                "Invalid '{param}': the overlap must not exceed half of 'max_chunk_size_tokens' "
                f"({self.max_chunk_size_tokens}), but got {self.chunk_overlap_tokens} instead.",
                "invalid_value",
                ".chunk_overlap_tokens",
            )
        return self


class AutoChunkingStrategy(Body):
    """`{"type": "auto"}`"""

    type: Literal["auto"]


class StaticChunkingStrategy(Body):
    """`{"type": "static"}`"""

    type: Literal["static"]
    static: StaticChunking


ChunkingStrategy = Annotated[
    Annotated[AutoChunkingStrategy, tag("auto")] | Annotated[StaticChunkingStrategy, tag("static")],
    BY_TYPE,
]


class NewVectorStore(Body):
    """A vector store to be made together with what will use it."""

    file_ids: Annotated[list[str], Field(max_length=MOST_STORE_FILES, fail_fast=True)] = []
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None


class FileSearchResources(Body):
    """Vector stores for file search: one that exists, or one to be made."""

    vector_store_ids: Annotated[list[str], Field(max_length=1, fail_fast=True)] = []
    vector_stores: Annotated[list[NewVectorStore], Field(max_length=1, fail_fast=True)] = []

    @model_validator(mode="after")
    def _one_way_only(self) -> "FileSearchResources":
        if self.vector_store_ids and self.vector_stores:
            raise BadField(
                "Invalid '{param}': give either 'vector_store_ids' or 'vector_stores', not both.",
                "invalid_value",
            )
        return self


class ToolResources(Body):
    """What the tools may read."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


class ExistingStores(FileSearchResources):
    """Vector stores for file search where none can be made on the way."""

    @field_validator("vector_stores", mode="before")
    @classmethod
    def _cannot_be_made_here(cls, _value: Any) -> Any:
        raise BadField("Unknown parameter: '{param}'.", "unknown_parameter")


class ExistingResources(ToolResources):
    """What the tools may read, of what there is already."""

    file_search: ExistingStores | None = None


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
    Annotated[TextPart, tag("text")]
    | Annotated[ImageUrlPart, tag("image_url")]
    | Annotated[ImageFilePart, tag("image_file")],
    BY_TYPE,
]


def _text_of_all_parts(parts: list[ContentPart]) -> list[ContentPart]:
    length = sum(len(part.text) for part in parts if isinstance(part, TextPart))
    if length > MOST_CONTENT:
        raise BadField(
            "Invalid '{param}': string too long. Expected a string with maximum length "
            f"{MOST_CONTENT}, but got a string with length {length} instead.",
            "string_above_max_length",
        )
    return parts


Content = Annotated[
    Annotated[str, StringConstraints(max_length=MOST_CONTENT), tag("string")]
    | Annotated[
        list[ContentPart],
        Field(min_length=1, max_length=MOST_PARTS, fail_fast=True),
        AfterValidator(_text_of_all_parts),
        tag("array"),
    ],
    string_or(_array, "one of a string or array of objects"),
]
