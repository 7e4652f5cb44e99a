"""Request bodies of vector stores, their files, batches and searches."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from streamlit_assistant.api.attributes import Attributes, SearchFilter
from streamlit_assistant.api.fields import (
    Body,
    ChunkingStrategy,
    Metadata,
    string_or,
    tag,
)
from streamlit_assistant.api.validation import UNION_TAG, BadField

MOST_FILES_AT_CREATION = 500
MOST_FILES_OF_A_BATCH = 2_000
MOST_QUERIES = 32
LONGEST_QUERY = 16_384  # characters

Name = Annotated[str, StringConstraints(max_length=1_024)]
FileIds = Annotated[list[str], Field(max_length=MOST_FILES_AT_CREATION, fail_fast=True)]
OneOrMore = Field(min_length=1, max_length=MOST_FILES_OF_A_BATCH, fail_fast=True)


class ExpiresAfter(Body):
    """After how long without use a vector store expires."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class CreateVectorStore(Body):
    """`POST /vector_stores`"""

    name: Name | None = None
    description: Annotated[str, StringConstraints(max_length=8_192)] | None = None
    file_ids: FileIds | None = None
    chunking_strategy: ChunkingStrategy | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class ModifyVectorStore(Body):
    """`POST /vector_stores/{vector_store_id}`"""

    name: Name | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class CreateVectorStoreFile(Body):
    """`POST /vector_stores/{vector_store_id}/files`"""

    file_id: str
    chunking_strategy: ChunkingStrategy | None = None
    attributes: Attributes | None = None


class UpdateAttributes(Body):
    """`POST /vector_stores/{vector_store_id}/files/{file_id}`"""

    attributes: Attributes | None


class CreateFileBatch(Body):
    """`POST /vector_stores/{vector_store_id}/file_batches`"""

    file_ids: Annotated[list[str], OneOrMore] | None = None
    files: Annotated[list[CreateVectorStoreFile], OneOrMore] | None = None
    chunking_strategy: ChunkingStrategy | None = None
    attributes: Attributes | None = None

    @model_validator(mode="after")
    def _one_kind_of_files(self) -> "CreateFileBatch":
        if self.file_ids is None and self.files is None:
            raise BadField(
                "Missing required parameter: '{param}'.", "missing_required_parameter", "file_ids"
            )
        if self.file_ids is not None and self.files is not None:
            raise BadField(
                "Mutually exclusive parameters. "
                "Ensure you are only providing one of: 'file_ids' or 'files'.",
                "mutually_exclusive_parameters",
                "files",
            )
        return self


class SearchRanking(Body):
    """How what a search found is ranked and cut."""

    ranker: Literal["none", "auto", "default-2024-11-15"] | None = None
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = None


def _array(value: Any) -> str | None:
    return f"{UNION_TAG}array" if isinstance(value, list) else None


Query = Annotated[str, StringConstraints(max_length=LONGEST_QUERY)]


class SearchVectorStore(Body):
    """`POST /vector_stores/{vector_store_id}/search`"""

    query: Annotated[
        Annotated[Query, tag("string")]
        | Annotated[
            list[Query],
            Field(min_length=1, max_length=MOST_QUERIES, fail_fast=True),
            tag("array"),
        ],
        string_or(_array, "one of a string or array of strings"),
    ]
    rewrite_query: bool | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    filters: SearchFilter | None = None
    ranking_options: SearchRanking | None = None
