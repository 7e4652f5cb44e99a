"""The protocol's file and vector store objects as JSON, beside those of `responses.py`."""

from collections.abc import Sequence

from streamlit_assistant.file_records import (
    File,
    FileBatch,
    SearchResult,
    Upload,
    UploadPart,
    UploadStatus,
    VectorStore,
    VectorStoreFile,
)
from streamlit_assistant.records import JSON


def file(record: File) -> JSON:
    """Return the `file` object. Its deprecated `status` is required by the schema."""
    found: JSON = {
        "id": record.id,
        "object": "file",
        "bytes": record.bytes,
        "created_at": record.created_at,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
    }
    # The schema knows no null here: a file that never expires has no such field.
    return found | ({} if record.expires_at is None else {"expires_at": record.expires_at})


def deleted_file(file_id: str) -> JSON:
    """Return the answer to a deletion, whose `object` is the plain `file`."""
    return {"id": file_id, "object": "file", "deleted": True}


def upload(record: Upload, made: File | None = None) -> JSON:
    """Return the `upload` object; a completed one holds the file it became."""
    found: JSON = {
        "id": record.id,
        "object": "upload",
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "filename": record.filename,
        "bytes": record.bytes,
        "purpose": record.purpose,
        "status": record.status.value,
    }
    return found | (
        {"file": file(made)} if made and record.status is UploadStatus.COMPLETED else {}
    )


def upload_part(record: UploadPart) -> JSON:
    """Return the `upload.part` object."""
    return {
        "id": record.id,
        "object": "upload.part",
        "created_at": record.created_at,
        "upload_id": record.upload_id,
    }


def vector_store(record: VectorStore, now: float) -> JSON:
    """Return the `vector_store` object as it is at `now`; the schema shows no description."""
    found: JSON = {
        "id": record.id,
        "object": "vector_store",
        "created_at": record.created_at,
        "name": record.name,
        "usage_bytes": record.usage_bytes,
        "file_counts": _counts(record),
        "status": _status(record, now),
        "expires_at": record.expires_at,
        "last_active_at": record.last_active_at,
        "metadata": dict(record.metadata),
    }
    return found | ({"expires_after": record.expires_after} if record.expires_after else {})


def vector_store_file(record: VectorStoreFile) -> JSON:
    """Return the `vector_store.file` object."""
    return {
        "id": record.id,
        "object": "vector_store.file",
        "usage_bytes": record.usage_bytes,
        "created_at": record.created_at,
        "vector_store_id": record.vector_store_id,
        "status": record.status.value,
        "last_error": record.last_error,
        "chunking_strategy": record.chunking_strategy,
        "attributes": dict(record.attributes),
    }


def file_batch(record: FileBatch) -> JSON:
    """Return the `vector_store.files_batch` object."""
    return {
        "id": record.id,
        "object": "vector_store.files_batch",
        "created_at": record.created_at,
        "vector_store_id": record.vector_store_id,
        "status": _batch_status(record),
        "file_counts": _counts(record),
    }


def file_content(texts: Sequence[str], next_page: str | None = None) -> JSON:
    """Return the page of a vector store file's text."""
    return {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": text} for text in texts],
        "has_more": next_page is not None,
        "next_page": next_page,
    }


def search_results(queries: Sequence[str], found: Sequence[SearchResult]) -> JSON:
    """Return the page of what a search of a vector store found."""
    return {
        "object": "vector_store.search_results.page",
        "search_query": list(queries),
        "data": [
            {
                "file_id": result.file_id,
                "filename": result.filename,
                "score": result.score,
                "attributes": dict(result.attributes),
                "content": [{"type": "text", "text": result.text}],
            }
            for result in found
        ],
        "has_more": False,
        "next_page": None,
    }


def _counts(record: VectorStore | FileBatch) -> JSON:
    counts = {
        "in_progress": record.in_progress,
        "completed": record.completed,
        "failed": record.failed,
        "cancelled": record.cancelled,
    }
    return counts | {"total": sum(counts.values())}


def _status(record: VectorStore, now: float) -> str:
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    return "in_progress" if record.in_progress else "completed"


def _batch_status(record: FileBatch) -> str:
    if record.is_cancelled:
        return "cancelled"
    if record.in_progress:
        return "in_progress"
    if record.completed:
        return "completed"
    if record.cancelled:  # its files, with another batch that they were in
        return "cancelled"
    return "failed" if record.failed else "completed"
