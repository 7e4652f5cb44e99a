"""Who is measured: how a history of each class is opened, filled, read, searched and let go of."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage

from streamlit_assistant.history import KafkaHistory

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that they are no longer maintained
    from langchain_community.chat_message_histories import (
        KafkaChatMessageHistory,
        SQLChatMessageHistory,
        StreamlitChatMessageHistory,
    )
    from langchain_redis import RedisChatMessageHistory

__all__ = [
    "KafkaOfLangChain",
    "Ours",
    "OursInKafka",
    "RedisOfLangChain",
    "SQLOfLangChain",
    "Side",
    "StreamlitChatMessageHistory",
]
ENOUGH = 60.0  # seconds, for what would give up earlier


class Side:
    """A class of histories. This one is LangChain's, where nothing about it is special."""

    name = "LangChain's"
    keeps = False  # whether it need not read again what it has read
    most_times = 300  # of one figure; what takes half a millisecond needs many

    def __init__(self, make: Callable[[str], Any]) -> None:
        self.open = make
        self._connected: dict[str, Any] = {}

    def fill(self, session_id: str, messages: Sequence[BaseMessage]) -> None:
        """Write a session."""
        self.kept(session_id).add_messages(messages)

    def kept(self, session_id: str) -> Any:
        """Return the history of a session that was opened first, and is still."""
        if session_id not in self._connected:
            self._connected[session_id] = self.open(session_id)
        return self._connected[session_id]

    def ready(self, session_id: str) -> Any:
        """Return a history that need not connect first, and has no message of the session yet."""
        return self.kept(session_id)

    def opener(self, session_id: str) -> Callable[[], Any]:
        """Return what opens a history, as it is in a program that has others open."""
        return partial(self.open, session_id)

    def stranger(self, session_id: str) -> Callable[[], Any]:
        """Return what opens a history, as it is in a program that has none open."""
        self.let_go()
        return partial(self.open, session_id)

    def load(self, history: Any, size: int) -> Sequence[Any]:
        """Return all messages, of which there are so many."""
        messages: Sequence[Any] = history.messages
        return messages

    def search(self, history: Any, word: str, limit: int, size: int) -> Sequence[Any]:
        """Return the newest messages with a word; without a search of its own: read, and look."""
        messages = self.load(history, size)
        return [each for each in reversed(messages) if word in each.text.casefold()][:limit]

    def end(self, history: Any) -> None:
        """Give back what a history that was opened holds."""

    def let_go(self) -> None:
        """Give back what all histories hold."""
        while self._connected:
            self.end(self._connected.popitem()[1])


class SQLOfLangChain(Side):
    """Each that is given a URL has connections of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(lambda name: SQLChatMessageHistory(name, connection=url))

    def end(self, history: Any) -> None:
        history.engine.dispose()


class RedisOfLangChain(Side):
    """It needs an old protocol, and has a search."""

    def __init__(self, url: str) -> None:
        super().__init__(lambda name: RedisChatMessageHistory(name, redis_url=url, protocol=2))

    def search(self, history: Any, word: str, limit: int, size: int) -> Sequence[Any]:
        found: Sequence[Any] = history.search_messages(word, limit)
        return found

    def end(self, history: Any) -> None:
        history.redis_client.close()


class KafkaOfLangChain(Side):
    """It waits five seconds, or for as many messages as it is told: so it is told how many."""

    def __init__(self, servers: str) -> None:
        super().__init__(lambda name: KafkaChatMessageHistory(f"theirs-{name}", servers))

    def fill(self, session_id: str, messages: Sequence[BaseMessage]) -> None:
        self.kept(session_id).add_messages(messages, flush_timeout_seconds=ENOUGH)

    def load(self, history: Any, size: int) -> Sequence[Any]:
        messages: Sequence[Any] = history.messages_from_beginning(size, ENOUGH)
        return messages


class Ours(Side):
    """Histories of ours, all of which share what the first has connected to."""

    name = "ours"

    def ready(self, session_id: str) -> Any:
        """Return another history each time."""
        return self.opener(session_id)()

    def opener(self, session_id: str) -> Callable[[], Any]:
        self.kept(session_id)
        return super().opener(session_id)

    def search(self, history: Any, word: str, limit: int, size: int) -> Sequence[Any]:
        found: Sequence[Any] = history.search_messages(word, limit)
        return found

    def end(self, history: Any) -> None:
        history.close()


class OursInKafka(Ours):
    """All with the same settings share what any of them has read: so each gets settings of its own.

    Then it is as in a process that has never read the session before.
    """

    keeps = True
    most_times = 30  # each leaves a client of its own behind

    def __init__(self, servers: str) -> None:
        super().__init__(self._made)
        self._servers = servers
        self._number = 0
        self._others: list[Any] = []

    def opener(self, session_id: str) -> Callable[[], Any]:
        self.stranger(session_id)
        self._others.append(other := self._made("other"))
        if not other.messages:
            other.add_user_message("Hello!")
        assert other.messages
        return partial(self._made, session_id)

    def stranger(self, session_id: str) -> Callable[[], Any]:
        while self._others:
            self._others.pop().close()
        self._number += 1
        return partial(self._made, session_id)

    def _made(self, session_id: str) -> Any:
        config = {"client.id": f"reader-{self._number}"}
        return KafkaHistory(
            f"ours-{session_id}", self._servers, messages_from="beginning", config=config
        )
