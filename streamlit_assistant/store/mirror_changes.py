"""What changes of a thread's messages, noted for every mirror in the transaction that changes it.

Which mirrors there are stands in the database, not in the settings of whoever writes: a process
that was started with other settings notes the same. Rows of one thread come in the order of its
changes: messages are appended and removed under the thread's lock, an answer is ended by the one
run that is active on it, and neither begins before the other's transaction is over.
"""

from collections.abc import Sequence

from sqlalchemy import String, bindparam, false, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import Message, MessageStatus
from streamlit_assistant.store.mirror_tables import mirror_outbox, mirrors
from streamlit_assistant.store.tables import Whole, threads

MESSAGE, REMOVED, CLEARED = "message", "removed", "cleared"

# To be returned by a statement that changes `messages`, or one behind it: a new mirror waits for
# whoever has changed something there, and who comes later sees it. Asked along it costs nothing.
IS_MIRRORED = select(mirrors.c.seq).exists().label("is_mirrored")

COLUMNS = ["target", "thread_id", "message_id", "kind", "written_at"]
_CHANGE = select(
    mirrors.c.target,
    bindparam("noted_thread", type_=String),
    bindparam("noted_message", type_=String),
    bindparam("noted_kind", type_=String),
    bindparam("noted_at", type_=Whole),
)
_CLEARED = insert(mirror_outbox).from_select(COLUMNS, _CHANGE)
# What is not to be kept is not to be copied either.
_KEPT = (threads.c.id == bindparam("noted_thread")) & (threads.c.temporary == false())
_CHANGED = insert(mirror_outbox).from_select(
    COLUMNS, _CHANGE.select_from(mirrors.join(threads, _KEPT))
)


async def note_messages(connection: AsyncConnection, new: Sequence[Message]) -> None:
    """Note that messages are to be copied, but for one that is still being written."""
    finished = [message for message in new if message.status is not MessageStatus.IN_PROGRESS]
    if changes := [_change(m.thread_id, m.id, MESSAGE, _ended_at(m)) for m in finished]:
        await connection.execute(_CHANGED, changes)


async def note_removed(
    connection: AsyncConnection, thread_id: str, ids: Sequence[str], now: int
) -> None:
    """Note that messages are to be removed from the copies.

    Also where a thread is emptied: who empties a copy too late would take what was written since.
    """
    if changes := [_change(thread_id, message_id, REMOVED, now) for message_id in ids]:
        await connection.execute(_CHANGED, changes)


async def note_cleared(connection: AsyncConnection, thread_id: str, now: int) -> None:
    """Note that a thread is gone, and that its copies are to go as well."""
    await connection.execute(_CLEARED, _change(thread_id, None, CLEARED, now))


def _ended_at(message: Message) -> int:
    return message.completed_at or message.incomplete_at or message.created_at


def _change(thread_id: str, message_id: str | None, kind: str, now: int) -> dict[str, object]:
    return {
        "noted_thread": thread_id,
        "noted_message": message_id,
        "noted_kind": kind,
        "noted_at": now,
    }
