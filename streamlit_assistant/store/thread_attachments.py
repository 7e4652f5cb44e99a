"""What messages have attached becomes the thread's: files to search, files to compute with."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.file_records import (
    DEFAULT_CHUNKING,
    FilledVectorStore,
    VectorStore,
    VectorStoreFile,
)
from streamlit_assistant.records import JSON, Message, Thread, new_id
from streamlit_assistant.store.attached_files import attach_files, insert_vector_store
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.searchable_files import check_files
from streamlit_assistant.store.tables import threads
from streamlit_assistant.store.vector_store_rows import find_vector_store

MOST_CODE_FILES = 20  # of a thread
# A vector store that was made for a thread and not by name goes when the thread has been left.
EXPIRES_AFTER = {"anchor": "last_active_at", "days": 7}


async def attach_to_thread(
    connection: AsyncConnection, thread_id: str, messages: Sequence[Message]
) -> None:
    """Give the thread what its new messages have attached, in the caller's transaction."""
    if not any(message.attachments for message in messages):
        return
    query = select(threads).where(threads.c.id == thread_id).with_for_update()
    row = await connection.execute(query)
    thread = to_record(Thread, row.mappings().one())
    now = messages[-1].created_at
    await check_files(connection, thread.owner, list(_files(messages)), now)
    resources = dict(thread.tool_resources)
    if searched := list(dict.fromkeys(_files(messages, "file_search"))):
        store_id = await _add_to_search(connection, thread, searched, now)
        resources["file_search"] = {"vector_store_ids": [store_id]}
    if computed := list(_files(messages, "code_interpreter")):
        resources["code_interpreter"] = {"file_ids": _code_files(resources, computed)}
    if resources != thread.tool_resources:
        mine = threads.c.id == thread_id
        await connection.execute(update(threads).where(mine).values(tool_resources=resources))


def thread_store(owner: str, now: int) -> VectorStore:
    """Return a new vector store as it is made for a thread."""
    return VectorStore(
        id=new_id("vs"),
        owner=owner,
        created_at=now,
        last_active_at=now,
        expires_after=EXPIRES_AFTER,
    )


async def _add_to_search(
    connection: AsyncConnection, thread: Thread, file_ids: Sequence[str], now: int
) -> str:
    store = await _store_of(connection, thread)
    made = store or thread_store(thread.owner, now)
    files = [VectorStoreFile(file_id, made.id, now, DEFAULT_CHUNKING) for file_id in file_ids]
    if store is None:
        await insert_vector_store(connection, FilledVectorStore(made, files))
    else:
        await attach_files(connection, thread.owner, files, now, keeps_present=True)
    return made.id


async def _store_of(connection: AsyncConnection, thread: Thread) -> VectorStore | None:
    ids: Sequence[str] = thread.tool_resources.get("file_search", {}).get("vector_store_ids", ())
    try:
        if ids:
            return await find_vector_store(connection, thread.owner, ids[0], lock=True)
    except NotFound:
        pass  # it was deleted since
    return None


def _code_files(resources: JSON, new: Sequence[str]) -> list[str]:
    present: Sequence[str] = resources.get("code_interpreter", {}).get("file_ids", ())
    files = list(dict.fromkeys([*present, *new]))
    if len(files) > MOST_CODE_FILES:
        raise InvalidRequest(
            "Invalid 'attachments': too many files for the code interpreter. Expected at most "
            f"{MOST_CODE_FILES} in a thread, but got {len(files)} instead.",
            param="attachments",
            code="array_above_max_length",
        )
    return files


def _files(messages: Sequence[Message], tool: str | None = None) -> Iterator[str]:
    for message in messages:
        for attachment in message.attachments:
            tools = {given["type"] for given in attachment.get("tools") or ()}
            if attachment.get("file_id") and (tool is None or tool in tools):
                yield attachment["file_id"]
