"""What processes tell each other: that something has changed, never what.

Every process hears the topics that others send: `run:ID`, `work` (a run waits), `files` (a file
waits), `messages` (some are to be copied), `processes` (one came or went). `*` says that anything
may have been missed. Nobody may rely on being told: whoever waits for something looks for itself
now and then as well.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

EVERYTHING = "*"
WORK = "work"
FILES = "files"
MESSAGES = "messages"
PROCESSES = "processes"
_RUN = "run:"

Heard = Callable[[str], None]


def of_run(run_id: str) -> str:
    """Return the topic of a run: its events, its status, its metadata."""
    return _RUN + run_id


def run_of(topic: str) -> str | None:
    """Return the run that a topic is about, or None."""
    return topic.removeprefix(_RUN) if topic.startswith(_RUN) else None


class Signals(ABC):
    """`run` hears until cancelled; `send` may be called at any time."""

    def __init__(self) -> None:
        # How many other processes there are to hear; without any, nothing has to be sent or heard.
        self.neighbours = 0
        self._listeners: list[Heard] = []

    def hear(self, listener: Heard) -> None:
        """Have a listener called with every topic that other processes send."""
        self._listeners.append(listener)

    def announce(self, topic: str) -> None:
        """Tell whoever listens in this process, and the other processes soon."""
        self._tell(topic)
        self.send(topic)

    @abstractmethod
    def send(self, *topics: str) -> None:
        """Tell the other processes soon. Never waits, never fails."""

    @abstractmethod
    async def told(self, seconds: float) -> None:
        """Wait until what was sent has gone out, at most so long."""

    @abstractmethod
    def loops(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Return the endless loops to be run, supervised, while the process works."""

    def _tell(self, topic: str) -> None:
        for listener in self._listeners:
            listener(topic)
