"""From request bodies to vector stores and what is put into them."""

from streamlit_assistant.api.conversion import to_json
from streamlit_assistant.api.fields import ChunkingStrategy, NewVectorStore, ToolResources
from streamlit_assistant.api.vector_store_requests import (
    CreateFileBatch,
    CreateVectorStore,
    CreateVectorStoreFile,
    SearchVectorStore,
)
from streamlit_assistant.errors import NotFound
from streamlit_assistant.file_records import (
    DEFAULT_CHUNKING,
    FilledVectorStore,
    SearchQuery,
    VectorStore,
    VectorStoreFile,
)
from streamlit_assistant.files.rewriting import keywords
from streamlit_assistant.records import JSON, new_id
from streamlit_assistant.store import Store
from streamlit_assistant.store.thread_attachments import EXPIRES_AFTER

MOST_RESULTS = 10  # of a search that does not say how many


def to_strategy(body: ChunkingStrategy | None) -> JSON:
    """Return how a file is cut; "auto" is stored as what it means."""
    if body is None or body.type == "auto":
        return DEFAULT_CHUNKING
    found: JSON = to_json(body)
    return found


def to_vector_store(body: CreateVectorStore, owner: str, now: int) -> FilledVectorStore:
    """Return the new vector store and the files to put into it."""
    store = VectorStore(
        id=new_id("vs"),
        owner=owner,
        created_at=now,
        last_active_at=now,
        name=body.name or "",
        description=body.description,
        metadata=body.metadata or {},
        expires_after=to_json(body.expires_after),
    )
    strategy = to_strategy(body.chunking_strategy)
    files = [VectorStoreFile(file_id, store.id, now, strategy) for file_id in body.file_ids or ()]
    return FilledVectorStore(store, files)


def to_file(body: CreateVectorStoreFile, vector_store_id: str, now: int) -> VectorStoreFile:
    """Return a file as it is to be put into a vector store."""
    strategy = to_strategy(body.chunking_strategy)
    return VectorStoreFile(
        body.file_id, vector_store_id, now, strategy, attributes=body.attributes or {}
    )


def to_batch_files(body: CreateFileBatch, vector_store_id: str, now: int) -> list[VectorStoreFile]:
    """Return the files of a batch; files that are described one by one follow nothing else."""
    if body.files is not None:
        return [to_file(file, vector_store_id, now) for file in body.files]
    strategy, attributes = to_strategy(body.chunking_strategy), body.attributes or {}
    return [
        VectorStoreFile(file_id, vector_store_id, now, strategy, attributes=attributes)
        for file_id in body.file_ids or ()
    ]


def to_query(body: SearchVectorStore) -> SearchQuery:
    """Return what to search for; a question that may be rewritten is cut to its key words."""
    asked = [body.query] if isinstance(body.query, str) else body.query
    ranking = body.ranking_options
    return SearchQuery(
        queries=[keywords(query) for query in asked] if body.rewrite_query else asked,
        max_num_results=body.max_num_results or MOST_RESULTS,
        score_threshold=(ranking.score_threshold or 0.0) if ranking else 0.0,
        filters=to_json(body.filters),
    )


async def to_tool_resources(
    store: Store, owner: str, resources: ToolResources | None, now: int, *, expiring: bool
) -> tuple[JSON, list[FilledVectorStore]]:
    """Return tool resources, all of them the owner's, and the vector stores to be made for them.

    The new ones are to be stored together with what uses them; `expiring`: for a thread, which may
    be left.
    """
    if resources is None:
        return {}, []
    search, code = resources.file_search, resources.code_interpreter
    found: JSON = {}
    new: list[FilledVectorStore] = []
    if code is not None:
        await _check_files(store, owner, code.file_ids, now)
        found["code_interpreter"] = {"file_ids": list(dict.fromkeys(code.file_ids))}
    if search is not None:
        await store.vector_stores.check(owner, search.vector_store_ids)
        new = [_helper(body, owner, now, expiring) for body in search.vector_stores]
        made = [planned.store.id for planned in new]
        found["file_search"] = {"vector_store_ids": [*search.vector_store_ids, *made]}
    return found, new


def _helper(body: NewVectorStore, owner: str, now: int, expiring: bool) -> FilledVectorStore:
    store = VectorStore(
        id=new_id("vs"),
        owner=owner,
        created_at=now,
        last_active_at=now,
        metadata=body.metadata or {},
        expires_after=EXPIRES_AFTER if expiring else None,
    )
    strategy = to_strategy(body.chunking_strategy)
    files = [VectorStoreFile(file_id, store.id, now, strategy) for file_id in body.file_ids]
    return FilledVectorStore(store, files)


async def _check_files(store: Store, owner: str, file_ids: list[str], now: int) -> None:
    known = {file.id for file in await store.files.get_all(owner, file_ids, now)}
    for file_id in file_ids:
        if file_id not in known:
            raise NotFound(f"No such File object: {file_id}", param="id")
