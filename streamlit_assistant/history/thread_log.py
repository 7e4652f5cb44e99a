"""The messages of a thread of our API as a log: what the page and its programs share, live."""

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from streamlit_assistant.history.entries import Entry, fold, matching, stored_name
from streamlit_assistant.history.thread_messages import (
    EXTENSION,
    JSON,
    body_of,
    said,
    written_form,
)
from streamlit_assistant.history.thread_posting import posted_form
from streamlit_assistant.history.thread_requests import RunActive, ThreadMissing, ThreadRequests
from streamlit_assistant.json_text import to_json

T = TypeVar("T")

PAGE = 100  # messages, the most the API gives at once
MOST_MESSAGES = 1_000  # in one request
MOST_BYTES = 12_000_000  # in one request; the API takes 16 MB
TRIES = 5  # readings of a thread from which somebody removes messages meanwhile


class ThreadLog:
    """The messages of one thread. To add some waits until no answer is being written there."""

    def __init__(
        self,
        client: Any,
        thread_id: str,
        patience: float,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        """`patience`: seconds to wait for the end of an answer; `closed` is called by `close`."""
        self._requests = ThreadRequests(client, thread_id)
        self._patience = patience
        self._closed = closed

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries at the end, without those the thread holds already by their ids.

        A thousand, or twelve megabytes, are written at once; of more the first may get there alone.
        """
        for batch in _batches([posted_form(json.loads(entry.body)) for entry in entries]):
            self._unless_running(partial(self._requests.post, batch, uuid.uuid4().hex))

    def read(self) -> Sequence[str]:
        """Return the bodies of all messages, oldest first."""
        return [body_of(written_form(message)) for message in self._whole()]

    def search(self, words: Sequence[str], limit: int) -> Sequence[str]:
        """Return at most `limit` bodies, newest first, whose folded text holds all words."""
        return self._steadily(lambda: self._found(words, limit))

    def remove(self, keys: Collection[str]) -> None:
        """Remove these messages. Unknown keys do no harm.

        The API forgets what it has removed: with an id that is added again comes a new message.
        """
        wanted = set(keys)
        for message in self._whole():
            if wanted.intersection(_names(message)):
                with suppress(ThreadMissing):  # somebody else was quicker
                    self._unless_running(partial(self._requests.delete, message["id"]))

    def clear(self) -> None:
        """Remove all messages; those that follow begin a new history."""
        self._unless_running(self._requests.delete_all)

    def close(self) -> None:
        """Give back what this log shares with others."""
        self._closed()

    def _unless_running(self, call: Callable[[], None]) -> None:
        until = time.monotonic() + self._patience
        while True:
            try:
                call()
                return
            except RunActive as active:
                self._requests.wait_for(active.run_id, until)

    def _found(self, words: Sequence[str], limit: int) -> list[str]:
        found: list[str] = []
        for message in self._messages("desc"):
            written = written_form(message)
            if matching([fold(said(written))], words, 1):
                found.append(body_of(written))
            if len(found) >= limit:
                break
        return found

    def _whole(self) -> list[JSON]:
        return self._steadily(lambda: list(self._messages("asc")))

    def _steadily(self, reading: Callable[[], T]) -> T:
        for _ in range(TRIES - 1):
            with suppress(ThreadMissing):  # perhaps the message behind which a page begins
                return reading()
        return reading()

    def _messages(self, order: str) -> Iterator[JSON]:
        """Yield what has been said; an answer once it is whole."""
        query: JSON = {"limit": PAGE, "order": order}
        while True:
            page = self._requests.page(**query)
            for message in page["data"]:
                is_said = message["content"] or message.get(EXTENSION)
                if is_said and message.get("status") != "in_progress":
                    yield message
            if not page["has_more"]:
                return
            query["after"] = page["data"][-1]["id"]


def _names(message: JSON) -> tuple[str, str]:
    """Return the keys under which a message is known: its own id, and LangChain's."""
    return stored_name(message["id"]), stored_name(written_form(message)["data"]["id"])


def _batches(messages: Sequence[JSON]) -> Iterator[list[JSON]]:
    batch: list[JSON] = []
    size = 0
    for message in messages:
        own = len(to_json(message).encode())
        if batch and (len(batch) >= MOST_MESSAGES or size + own > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += own
    if batch:
        yield batch
