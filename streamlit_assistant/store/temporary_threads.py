"""Threads that are not to be kept: when one has been left, and what of it lies in other tables."""

import re

from sqlalchemy import Text, bindparam, cast, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.store.file_tables import files
from streamlit_assistant.store.tables import (
    IS_ACTIVE,
    IS_TEMPORARY,
    messages,
    run_events,
    run_steps,
    runs,
    threads,
)

MADE = "assistants_output"  # the purpose of the files that models make
LONG_OVER = 0  # when a file has expired that nobody is to get any more
# Where what a model has made is shown or offered. It may also name files of other chats: as a
# source, or in its words, in which quotation marks are escaped.
_MADE_ID = re.compile(r'"(?:image|image_file|file_path)":\s*\{"file_id":\s*"(file-[A-Za-z0-9]+)"')

_RUN = runs.c.thread_id == threads.c.id
# Nobody has written, and no run has done anything, since `since`.
_LEFT = (
    IS_TEMPORARY,
    threads.c.last_active_at < bindparam("since"),
    ~exists().where(_RUN, IS_ACTIVE),
    ~exists().where(
        _RUN, run_events.c.run_id == runs.c.id, run_events.c.created_at >= bindparam("since")
    ),
)
_MOST_AT_ONCE = 100  # threads in one transaction
_FIND = select(threads.c.id).where(*_LEFT).limit(_MOST_AT_ONCE).with_for_update()


async def forget_left(connection: AsyncConnection, since: int) -> bool:
    """Remove some of the threads in which nothing has happened since a time; return whether any."""
    named = {"since": since}
    ids = (await connection.execute(_FIND, named)).scalars().all()
    # Asked again, now that they are locked: a run may have begun before they were.
    still = select(threads.c.id).where(threads.c.id.in_(ids), *_LEFT)
    left = (await connection.execute(still, named)).scalars().all()
    for thread_id in left:
        await expire_made_files(connection, thread_id)
    await connection.execute(delete(threads).where(threads.c.id.in_(left)))
    return bool(left)


async def expire_made_files(connection: AsyncConnection, thread_id: str) -> None:
    """Let the files expire that models have made in a thread; their bytes go soon after."""
    said = select(cast(messages.c.content, Text)).where(
        messages.c.thread_id == thread_id, messages.c.run_id.is_not(None)
    )
    done = select(cast(run_steps.c.step_details, Text)).where(
        run_steps.c.run_id.in_(select(runs.c.id).where(runs.c.thread_id == thread_id))
    )
    named: set[str] = set()
    for query in (said, done):
        texts = (await connection.execute(query)).scalars()
        named.update(*map(_MADE_ID.findall, texts))
    if named:
        owner = select(threads.c.owner).where(threads.c.id == thread_id).scalar_subquery()
        is_made = (files.c.id.in_(named), files.c.owner == owner, files.c.purpose == MADE)
        made = update(files).where(*is_made)
        await connection.execute(made.values(expires_at=LONG_OVER))
