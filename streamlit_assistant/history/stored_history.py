"""A history over the log of a store: LangChain's face of it."""

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage
from langchain_core.runnables import run_in_executor

from streamlit_assistant.history.collector import collector_resting
from streamlit_assistant.history.entries import MessageLog, search_words, stored_name
from streamlit_assistant.history.langchain_messages import entry_of, message_of

FOUND = 10  # messages that a search returns unless told otherwise
MANY = 1_000  # messages; fewer are made before the collector would come round


class StoredHistory(BaseChatMessageHistory):
    """The messages of one session in a store.

    Messages keep everything they carry, and their order. One whose id the session holds already
    is not added again. All methods raise `HistoryUnavailable` where the store does not answer;
    to add messages with ids again after that is safe. Its async twins wait in a thread.
    """

    def __init__(self, log: MessageLog) -> None:
        self._log = log

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """All messages of the session, oldest first."""
        bodies = self._log.read()
        with collector_resting(len(bodies) >= MANY):
            return [message_of(body) for body in bodies]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages at the end, in their order; one write for all of them."""
        if messages:
            self._log.append([entry_of(message) for message in messages])

    def add_message(self, message: BaseMessage) -> None:
        """Add one message at the end."""
        self.add_messages([message])

    def search_messages(self, text: str, limit: int = FOUND) -> list[BaseMessage]:
        """Return the newest messages that hold every word of a text, newest first.

        Words are found anywhere, also within others, whatever their case, accents or width. A
        blank text finds nothing.
        """
        words = search_words(text)
        if not words or limit < 1:
            return []
        return [message_of(body) for body in self._log.search(words, limit)]

    async def asearch_messages(self, text: str, limit: int = FOUND) -> list[BaseMessage]:
        """Do what `search_messages` does, without blocking the event loop."""
        return await run_in_executor(None, self.search_messages, text, limit)

    def remove_messages(self, ids: Collection[str]) -> None:
        """Remove messages by their ids, for good; a single one may be given as it is."""
        self._log.remove([stored_name(one) for one in ([ids] if isinstance(ids, str) else ids)])

    async def aremove_messages(self, ids: Collection[str]) -> None:
        """Do what `remove_messages` does, without blocking the event loop."""
        await run_in_executor(None, self.remove_messages, ids)

    def clear(self) -> None:
        """Remove all messages of the session."""
        self._log.clear()

    def close(self) -> None:
        """Give back the connection; the last history of an address closes it."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
