"""What the scripted Assistants server's runs write, and how their streams break."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import httpx

from tests.chat.fake_time import FakeTime

HEARTBEAT = 0.25  # seconds


class Break(Enum):
    """How a stream ends that does not end well."""

    END = auto()  # a clean end of the response, the run goes on
    RESET = auto()  # the connection is lost between two frames
    STALL = auto()  # nothing comes until the client's timeout
    MID_FRAME = auto()  # the connection is lost within a frame
    BROKEN_JSON = auto()  # the next frame is cut, yet ended like a whole one
    WRONG_SHAPE = auto()  # the next frame is JSON of some other shape
    NOT_UTF8 = auto()
    ERROR_EVENT = auto()
    EARLY_DONE = auto()  # `done`, though the run goes on


@dataclass(frozen=True)
class Cut:
    """Where a connection breaks: before the frame with index `at`."""

    at: int
    how: Break


@dataclass(frozen=True)
class RunScript:
    """One run: what it writes, how it ends, and what goes wrong on the way."""

    words: tuple[str, ...] = ("Hello", " there", "!")
    ending: str = "completed"
    looks: tuple[str, ...] = ("queued", "in_progress")  # statuses polled before the end
    poll_after_ms: str | None = None
    last_error: dict[str, str] | None = None
    incomplete_reason: str | None = None
    cuts: tuple[Cut, ...] = ()  # of the first connection, the second, ...
    heartbeats: int = 0  # before the first word
    places: tuple[int, ...] = ()  # in the queue, told one after the other while it waits
    posts_message: bool = True


FIRST_START = 1  # index of the frame that says that it no longer waits
FIRST_DELTA = 5  # index of the first word's frame


@dataclass
class Run:
    """A run of the scripted server."""

    id: str
    thread_id: str
    script: RunScript
    looks_left: list[str] = field(default_factory=list)
    cuts_left: list[Cut] = field(default_factory=list)
    cancelled: bool = False
    over: bool = False

    @property
    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        return self.script.ending if self.over else (self.looks_left or ["in_progress"])[0]

    @property
    def message_id(self) -> str:
        return f"msg_of_{self.id}"

    def body(self, status: str | None = None) -> dict[str, Any]:
        status = status or self.status
        reason = self.script.incomplete_reason
        return {
            "id": self.id,
            "object": "thread.run",
            "thread_id": self.thread_id,
            "status": status,
            "last_error": self.script.last_error if status == "failed" else None,
            "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        }

    def frames(self) -> list[tuple[str, str]]:
        """Event names and data, from the first to `done`."""
        message = {"id": self.message_id, "object": "thread.message", "content": []}
        frames: list[tuple[str, Any]] = [
            ("thread.run.created", self.body("queued")),
            ("thread.run.in_progress", self.body("in_progress")),
            ("thread.run.step.created", {"id": "step_1", "status": "in_progress"}),
            ("thread.message.created", message),
            ("thread.message.in_progress", message),
            *(("thread.message.delta", delta(self.message_id, word)) for word in self.script.words),
            ("thread.message.completed", message),
            ("thread.run.step.completed", {"id": "step_1", "status": "completed"}),
            (f"thread.run.{self.script.ending}", self.body(self.script.ending)),
        ]
        return [(event, json.dumps(data, ensure_ascii=False)) for event, data in frames] + [
            ("done", "[DONE]")
        ]


def delta(message_id: str, *words: str, part: int = 0) -> dict[str, Any]:
    """The data of a `thread.message.delta`."""
    content = [{"index": part, "type": "text", "text": {"value": word}} for word in words]
    return {"id": message_id, "object": "thread.message.delta", "delta": {"content": content}}


class ScriptedBody(httpx.SyncByteStream):
    """A response body that knows whether it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        self.closed = True


def event_stream(
    run: Run, time: FakeTime, *, numbered: bool, beating: bool, after: int | None = None
) -> Iterator[bytes]:
    """The bytes of a run's events after number `after`, up to the next scripted break."""
    cut = run.cuts_left.pop(0) if run.cuts_left else None
    for number, (event, data) in enumerate(run.frames()):
        if number == FIRST_START:
            yield from _silence(time, [f"queued {place}" for place in run.script.places], beating)
        if number == FIRST_DELTA:
            yield from _silence(time, ["still here"] * run.script.heartbeats, beating)
        if cut is not None and number == cut.at:
            yield from _broken(cut.how, event, data)
            return
        if after is None or number > after:
            number_line = f"id: {number}\n" if numbered else ""
            if event == f"thread.run.{run.script.ending}":
                run.over = True
            yield f"{number_line}event: {event}\ndata: {data}\n\n".encode()


def _silence(time: FakeTime, comments: list[str], beating: bool) -> Iterator[bytes]:
    for comment in comments:
        time.now += HEARTBEAT
        if beating:
            yield f": {comment}\n\n".encode()


def _broken(how: Break, event: str, data: str) -> Iterator[bytes]:
    endings: dict[Break, bytes] = {
        Break.END: b"",
        Break.MID_FRAME: f"id: 99\nevent: {event}\ndata: {data[: len(data) // 2]}".encode(),
        Break.BROKEN_JSON: f"id: 99\nevent: {event}\ndata: {data[:-3]}\n\n".encode(),
        Break.WRONG_SHAPE: f'id: 99\nevent: {event}\ndata: {{"id": null}}\n\n'.encode(),
        Break.NOT_UTF8: b"id: 99\nevent: thread.message.delta\ndata: \xff\xfe\n\n",
        Break.ERROR_EVENT: b'event: error\ndata: {"error": {"message": "Something tore."}}\n\n',
        Break.EARLY_DONE: b"event: done\ndata: [DONE]\n\n",
    }
    if how is Break.STALL:
        raise httpx.ReadTimeout("timed out")
    if how is Break.RESET:
        raise httpx.ReadError("connection reset by peer")
    yield endings[how]
