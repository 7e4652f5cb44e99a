"""The copies in one store: where changes of threads become entries of logs. It blocks."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from streamlit_assistant import responses
from streamlit_assistant.history.entries import Entry, MessageLog, stored_name
from streamlit_assistant.history.history_errors import HistoryError, MessageRefused
from streamlit_assistant.history.thread_messages import entry_of_thread_message
from streamlit_assistant.records import Message

PIECE = 1_000_000  # characters of messages written at once: a slow store must get them in time
OPEN_LOGS = 256  # most chats are answered within the next minutes, or never again

Opener = Callable[[str, str], MessageLog]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removed:
    """A message that is to go."""

    id: str


@dataclass(frozen=True)
class Cleared:
    """All messages of the thread are to go."""


Step = Message | Removed | Cleared


@dataclass(frozen=True)
class ThreadChanges:
    """What has changed in one thread, in order, and the numbers of these changes."""

    thread_id: str
    steps: list[Step] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Delivery:
    """What became of changes: those that are done, what was refused among them, what stopped it."""

    done: list[ThreadChanges] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # thread and message
    error: str | None = None

    @property
    def numbers(self) -> list[int]:
        """Of the changes that are done."""
        return [number for changes in self.done for number in changes.numbers]

    @property
    def copied(self) -> list[Message]:
        """Those of the messages that the store took."""
        refused = {message_id for _, message_id in self.refused}
        steps = (step for changes in self.done for step in changes.steps)
        return [step for step in steps if isinstance(step, Message) and step.id not in refused]


class Copies:
    """Writes to the logs of one store. Used by one thread at a time."""

    def __init__(self, url: str, opened: Opener, most: int = OPEN_LOGS) -> None:
        self._url = url
        self._opened = opened
        self._most = most
        self._logs: OrderedDict[str, MessageLog] = OrderedDict()
        self._defect = ""

    def deliver(self, threads: Iterable[ThreadChanges]) -> Delivery:
        """Write the changes of threads, one thread after the other, until the store is away."""
        done: list[ThreadChanges] = []
        refused: list[tuple[str, str]] = []
        for changes in threads:
            try:
                refused += self._write(changes)
            except HistoryError as error:
                return Delivery(done, refused, str(error) or type(error).__name__)
            except Exception as error:  # a defect: as with a store that is away, it is tried again
                if repr(error) != self._defect:
                    logger.exception("a copy failed: %s", changes.thread_id)
                self._defect = repr(error)
                return Delivery(done, refused, type(error).__name__)
            done.append(changes)
        return Delivery(done, refused)

    def close(self) -> None:
        """Close every log."""
        while self._logs:
            self._logs.popitem()[1].close()

    def _write(self, changes: ThreadChanges) -> list[tuple[str, str]]:
        if not changes.steps:
            return []  # of messages that are gone again
        log = self._log(changes.thread_id)
        refused: list[Step] = []
        for _, group in groupby(changes.steps, type):
            refused += _refused(log, list(group))
        return [(changes.thread_id, getattr(step, "id", "")) for step in refused]

    def _log(self, thread_id: str) -> MessageLog:
        if thread_id not in self._logs:
            self._logs[thread_id] = self._opened(self._url, thread_id)
        self._logs.move_to_end(thread_id)
        # The newest stays open, and with it what all of them share: the connection.
        while len(self._logs) > self._most:
            self._logs.popitem(last=False)[1].close()
        return self._logs[thread_id]


def _refused(log: MessageLog, steps: Sequence[Step]) -> Sequence[Step]:
    """Write steps of one kind at once, or one by one if they are refused; return those that are."""
    try:
        _write_all(log, steps)
    except MessageRefused:
        if len(steps) == 1:
            return steps
        return [step for alone in steps for step in _refused(log, [alone])]
    return []


def _write_all(log: MessageLog, steps: Sequence[Step]) -> None:
    match steps[0]:
        case Message():
            messages = [responses.message(step) for step in steps if isinstance(step, Message)]
            for piece in _pieces([entry_of_thread_message(message) for message in messages]):
                log.append(piece)
        case Removed():
            log.remove([stored_name(step.id) for step in steps if isinstance(step, Removed)])
        case Cleared():
            log.clear()


def _pieces(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    piece: list[Entry] = []
    room = PIECE
    for entry in entries:
        room -= len(entry.body)
        if piece and room < 0:
            yield piece
            piece, room = [], PIECE - len(entry.body)
        piece.append(entry)
    yield piece
