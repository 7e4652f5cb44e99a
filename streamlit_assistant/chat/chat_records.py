"""Sync column: what a ChatBot hands the page. Plain data, knows nothing else."""

from collections.abc import Mapping, Sequence
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
class Picture:
    """An image in a message; `place` characters of the message's text stand before it."""

    file_id: str
    place: int


@dataclass(frozen=True)
class OfferedFile:
    """A file that a message offers, under the name by which its text links to it."""

    file_id: str
    name: str


@dataclass(frozen=True)
class ChatMessage:
    """One message of a thread; `status` is completed, incomplete or in_progress.

    `kind` is what it was in LangChain, such as `tool` or `system`, where a program wrote it there.
    """

    id: str
    role: str
    text: str
    status: str
    incomplete_reason: str | None
    run_id: str | None
    created_at: int
    reasoning: str = ""  # what the model thought before it answered, where it says so
    pictures: Sequence[Picture] = ()
    files: Sequence[OfferedFile] = ()
    kind: str = ""


@dataclass(frozen=True)
class Notice:
    """Something to know of how an answer came about: a code, English words, and their details."""

    code: str
    message: str
    details: Mapping[str, str]


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
    notices: Sequence[Notice] = ()

    @property
    def ending(self) -> Ending | None:
        """How the run ended, or None while more is to come."""
        return next((ending for ending in Ending if ending == self.status), None)

    @property
    def resting(self) -> int | None:
        """For how many seconds the model server wants to be left alone, if it does."""
        told = (each.details.get("seconds", "") for each in self.notices if each.code == "waiting")
        return next((int(seconds) for seconds in told if seconds.isdigit()), None)

    @property
    def active(self) -> bool:
        """Whether following the run would bring more."""
        return self.ending is None


@dataclass(frozen=True)
class ModelCheck:
    """What the test of one capability has shown; `verdict` is yes, partly, no or unknown.

    `detail` is in English and may quote the model server; `figure` is what was measured.
    """

    name: str
    verdict: str
    detail: str
    figure: float | None


@dataclass(frozen=True)
class ModelReport:
    """What the last test of a model has shown and what it has cost; `tested_at` in Unix seconds."""

    checks: tuple[ModelCheck, ...]
    tested_at: int
    tokens: int
    is_estimated: bool


@dataclass(frozen=True)
class ModelState:
    """Who answers; `api` is chat, responses or offline.

    `problem` is why the model server cannot be asked. `shutdown_date` is the day on which it
    switches the model off, if it says so. `progress`: so many checks of so many have been made of
    the test that is being made now.
    """

    server: str
    api: str
    model: str
    problem: str | None
    shutdown_date: str | None
    report: ModelReport | None
    progress: tuple[int, int] | None


@dataclass(frozen=True)
class Waiting:
    """A sign of life: nothing new, `elapsed` seconds after following began."""

    elapsed: float
    status: str
    position: int | None = None  # in the queue, if the server says so; 1: its turn is next
    resting: int | None = None  # seconds for which the model server wants to be left alone


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
