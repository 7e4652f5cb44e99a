"""Sync column: a chat that leaves nothing behind. What was said in it is the session's alone."""

import json
import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamlit_assistant.chat.chat_errors import ChatError
from streamlit_assistant.chat.chat_records import ChatMessage, RunState, Update
from streamlit_assistant.chatbot import ChatBot

TEMPORARY = "temporary"  # stands where a chat that is kept has the id of its thread

# What a new thread can begin with; ours takes no more, and a model is shown less.
MOST_COPIED = 1_000  # messages
MOST_COPIED_BYTES = 12 * 1024 * 1024
LONGEST_COPIED = 256_000  # characters of one message
PAGE_LENGTH = 100  # messages, the most the API gives at once

logger = logging.getLogger(__name__)


class Transcript(Protocol):
    """Keeps the messages of one chat for as long as its session lasts."""

    def read(self) -> Sequence[ChatMessage]:
        """All messages, the oldest first."""

    def append(self, messages: Sequence[ChatMessage]) -> None:
        """Add messages at the end."""

    def clear(self) -> None:
        """Forget them all."""


@dataclass
class Copied:
    """How far a transcript has the messages of the chat's thread."""

    newest: str | None = None  # the id of the last one it has
    skipped: int = 0  # so many of those that follow are the transcript's own, given to the thread


class TemporaryChat:
    """Has the methods of a ChatBot that concern the open chat, and leaves the rest to one.

    The thread at the server is only the copy that a model needs to answer: the server lists it
    nowhere and deletes it when nothing has happened in it for a while. The next question then
    makes another one of the transcript.
    """

    # For an address. Nobody finds the thread by it, but a tab that has lost its session, with what
    # was said, still shows a chat that is not kept: the next question must not go into another.
    thread_id = TEMPORARY

    def __init__(self, bot: ChatBot, transcript: Transcript, copied: Copied) -> None:
        """The bot's open thread, if it has one, is the chat's; `copied` goes with that thread."""
        self._bot = bot
        self._transcript = transcript
        self._copied = copied

    def ask(self, prompt: str) -> Generator[Update, None, None]:
        """Post the prompt, in a new thread if there is none, and follow the answer."""
        yield from self._ensure_thread(self._transcript.read())
        yield from self._bot.ask(prompt)

    def retry(self) -> Generator[Update, None, None]:
        """Have the chat answered again, without a new message, and follow the answer."""
        said = list(self._transcript.read())
        while said and said[-1].role == "assistant" and said[-1].status != "completed":
            said.pop()  # the model would take a broken-off answer for a whole one, in a new thread
        yield from self._ensure_thread(said)
        yield from self._bot.retry()

    def follow(self, run_id: str) -> Generator[Update, None, None]:
        """Follow a run from its first word, whether it still runs or has just ended."""
        return self._bot.follow(run_id)

    def stop(self) -> None:
        """Cancel the answer that is being written."""
        self._bot.stop()

    def latest_run(self) -> RunState | None:
        """The newest run; by then the transcript has every message that is finished."""
        try:
            run = self._bot.latest_run()
            self._take_over()
        except ChatError as error:
            if error.kind != "not_found":
                raise
            self._bot.thread_id = None
            return None
        return run

    def messages(self, limit: int = 40, before: str | None = None) -> list[ChatMessage]:
        """The newest messages, or the page just older than message `before`; the oldest first."""
        said = list(self._transcript.read())
        if before is not None:
            said = said[: [message.id for message in said].index(before)]
        return said[-limit:]

    def limit_reached(self) -> bool:
        """Whether the chat is full."""
        return len(self._transcript.read()) >= self._bot.message_limit

    def end(self) -> None:
        """Forget what was said, here and at the server."""
        self._transcript.clear()
        try:
            self._bot.delete()
        except ChatError as error:
            logger.info("the server forgets a temporary chat by itself, later: %s", error.kind)
            self._bot.thread_id = None

    def _ensure_thread(self, said: Sequence[ChatMessage]) -> Generator[Update, None, None]:
        if self._bot.thread_id is not None:
            return
        copies = _copies(said)
        self._copied.newest, self._copied.skipped = None, len(copies)
        yield from self._bot.begin(copies, temporary=True)

    def _take_over(self) -> None:
        goes_on = self._bot.thread_id is not None
        while goes_on:
            page = self._bot.messages_after(self._copied.newest, PAGE_LENGTH)
            finished = _finished(page)
            self._transcript.append(finished[self._copied.skipped :])
            self._copied.skipped = max(0, self._copied.skipped - len(finished))
            if finished:
                self._copied.newest = finished[-1].id
            goes_on = len(finished) == PAGE_LENGTH


def _finished(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """The messages before the first one that is still being written."""
    statuses = [message.status for message in messages]
    return messages[: statuses.index("in_progress")] if "in_progress" in statuses else messages


def _copies(said: Sequence[ChatMessage]) -> list[tuple[str, str]]:
    """Role and text of the newest messages, as many as a new thread can begin with."""
    copies: list[tuple[str, str]] = []
    size = 0
    for message in reversed(said):
        text = message.text[:LONGEST_COPIED]
        size += len(json.dumps(text, ensure_ascii=False).encode())
        if size > MOST_COPIED_BYTES or len(copies) == MOST_COPIED:
            break
        if text.strip():
            copies.append((message.role, text))
    return copies[::-1]
