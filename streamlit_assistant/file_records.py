"""Frozen records of files and vector stores, beside the records of conversations on the floor.

Times are Unix seconds, sizes bytes. `sha256` is the hex digest under which the bytes lie on disk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from streamlit_assistant.records import JSON

AttributeValue = str | float | bool
# How a file is cut into chunks where nobody says otherwise: tokens of a chunk, repeated by the next
DEFAULT_CHUNKING: JSON = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
}


class UploadStatus(StrEnum):
    """Where an upload in parts stands."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class IndexStatus(StrEnum):
    """Where a file of a vector store stands."""

    IN_PROGRESS = "in_progress"  # waits for the indexer, or is being indexed
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class File:
    """An uploaded file. `expires_at` None: kept until deleted."""

    id: str
    owner: str
    created_at: int
    filename: str
    purpose: str
    bytes: int
    sha256: str
    expires_at: int | None = None


@dataclass(frozen=True)
class Upload:
    """A file that arrives in parts. `file_expires_after` in seconds; `file_id` once completed."""

    id: str
    owner: str
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    bytes: int
    mime_type: str
    status: UploadStatus = UploadStatus.PENDING
    file_id: str | None = None
    file_expires_after: int | None = None


@dataclass(frozen=True)
class UploadPart:
    """One part of an upload."""

    id: str
    upload_id: str
    created_at: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class VectorStore:
    """A collection of files to search. `seq` names it in the search index.

    `expires_at` follows `last_active_at`; the counters say how many files have which status.
    """

    id: str
    owner: str
    created_at: int
    last_active_at: int
    name: str = ""
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires_after: JSON | None = None
    expires_at: int | None = None
    usage_bytes: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    seq: int = 0


@dataclass(frozen=True)
class VectorStoreFile:
    """A file in a vector store; `id` is the file's. `seq` is what its chunks refer to."""

    id: str
    vector_store_id: str
    created_at: int
    chunking_strategy: JSON
    status: IndexStatus = IndexStatus.IN_PROGRESS
    usage_bytes: int = 0
    last_error: JSON | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True)
class FilledVectorStore:
    """A new vector store and the files that are put into it at once."""

    store: VectorStore
    files: Sequence[VectorStoreFile] = ()


@dataclass(frozen=True)
class WaitingFile:
    """A file to be indexed by the process that `lease_owner` names; `owner` is whose it is.

    `store_seq` is the `seq` of its vector store.
    """

    file: VectorStoreFile
    store_seq: int
    owner: str
    lease_owner: str


@dataclass(frozen=True)
class FileBatch:
    """Files that were put into a vector store together."""

    id: str
    vector_store_id: str
    created_at: int
    is_cancelled: bool = False
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True)
class NewChunk:
    """A piece of a document's text, and the words under which it is found, space between them.

    `start` says where in the text it begins, in characters: pieces overlap.
    """

    text: str
    terms: str
    start: int = 0


@dataclass(frozen=True)
class SearchResult:
    """A chunk that was found; `score` from 0 to 1."""

    file_id: str
    filename: str
    score: float
    text: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchQuery:
    """What to search vector stores for. `filters` as on the wire, validated."""

    queries: Sequence[str]
    max_num_results: int = 10
    score_threshold: float = 0.0
    filters: JSON | None = None
