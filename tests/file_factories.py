"""Valid records of files and vector stores with little typing."""

from typing import Any

from streamlit_assistant.file_records import (
    DEFAULT_CHUNKING,
    File,
    FileBatch,
    FilledVectorStore,
    VectorStore,
    VectorStoreFile,
)
from streamlit_assistant.records import JSON, new_id
from streamlit_assistant.store import Store
from tests.factories import OWNER

NOW = 1_700_000_000


def make_file(**fields: Any) -> File:
    return File(
        **{
            "id": new_id("file"),
            "owner": OWNER,
            "created_at": NOW,
            "filename": "notes.md",
            "purpose": "assistants",
            "bytes": 5,
            "sha256": "0" * 64,
            **fields,
        }
    )


def make_vector_store(**fields: Any) -> VectorStore:
    return VectorStore(
        **{
            "id": new_id("vs"),
            "owner": OWNER,
            "created_at": NOW,
            "last_active_at": NOW,
            **fields,
        }
    )


def make_store_file(file_id: str, vector_store_id: str, **fields: Any) -> VectorStoreFile:
    return VectorStoreFile(
        **{
            "id": file_id,
            "vector_store_id": vector_store_id,
            "created_at": NOW,
            "chunking_strategy": DEFAULT_CHUNKING,
            **fields,
        }
    )


def make_batch(vector_store_id: str) -> FileBatch:
    return FileBatch(new_id("vsfb"), vector_store_id, NOW)


def static(size: int, overlap: int) -> JSON:
    return {
        "type": "static",
        "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap},
    }


async def add_files(store: Store, count: int, **fields: Any) -> list[str]:
    """Store files and return their ids."""
    return [(await store.files.add(make_file(**fields))).id for _ in range(count)]


async def add_vector_store(store: Store, count: int = 0, **fields: Any) -> tuple[str, list[str]]:
    """Store a vector store with so many waiting files; return its id and theirs."""
    made = make_vector_store(**fields)
    ids = await add_files(store, count, owner=made.owner)
    files = [make_store_file(file_id, made.id) for file_id in ids]
    await store.vector_stores.add(FilledVectorStore(made, files))
    return made.id, ids
