"""Which messages a thread holds already, by the ids that LangChain knows them under."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, bindparam, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.records import Message
from streamlit_assistant.store.rows import to_record
from streamlit_assistant.store.tables import messages

_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_OF_THREAD = select(messages).where(messages.c.thread_id == bindparam("thread_id"))
# Two queries, each by an index of its own: joined by OR they would read the whole thread.
_HELD = union_all(
    _OF_THREAD.where(messages.c.langchain_id.in_(_IDS)),
    # What LangChain gave no id comes back from a thread under ours.
    _OF_THREAD.where(messages.c.id.in_(_IDS)),
)


async def held_already(
    connection: AsyncConnection, thread_id: str, new: Sequence[Message]
) -> dict[str, Message]:
    """Return the messages of the thread that any of the new ones repeat, by LangChain's id."""
    ids = [message.langchain_id for message in new if message.langchain_id is not None]
    if not ids:
        return {}
    found = await connection.execute(_HELD, {"thread_id": thread_id, "ids": ids})
    held: dict[str, Message] = {}
    for row in found.mappings():
        message = to_record(Message, row)
        held[message.id] = message
        if message.langchain_id is not None:
            held[message.langchain_id] = message
    return held
