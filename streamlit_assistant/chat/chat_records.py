"""Sync column: what a ChatBot hands the page. Plain data, knows nothing else."""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How following a run ends, in the wire's own words."""

    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    # Not over for the server, but nothing more comes until somebody submits tool outputs.
    REQUIRES_ACTION = "requires_action"


@dataclass(frozen=True)
class ChatMessage:
    """One message of a thread; `status` is completed, incomplete or in_progress."""

    id: str
    role: str
    text: str
    status: str
    incomplete_reason: str | None
    run_id: str | None
    created_at: int


@dataclass(frozen=True)
class ChatThread:
    """One line of the list of chats; an untitled thread has an empty title."""

    id: str
    title: str
    last_active_at: int


@dataclass(frozen=True)
class RunState:
    """Where a run stands; the error fields say why it failed or was cut short."""

    id: str
    status: str
    error_message: str | None
    error_code: str | None

    @property
    def ending(self) -> Ending | None:
        """How the run ended, or None while more is to come."""
        return next((ending for ending in Ending if ending == self.status), None)

    @property
    def active(self) -> bool:
        """Whether following the run would bring more."""
        return self.ending is None


@dataclass(frozen=True)
class Waiting:
    """A sign of life: nothing new, `elapsed` seconds after following began."""

    elapsed: float
    status: str
    position: int | None = None  # in the queue, if the server says so; 1: its turn is next


@dataclass(frozen=True)
class TextDelta:
    """Text to append to the answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The last update of a run; `text` is the latest thread message as the thread holds it."""

    ending: Ending
    text: str
    message_id: str | None
    error_message: str | None
    error_code: str | None
    request_id: str | None


Update = Waiting | TextDelta | Finished
