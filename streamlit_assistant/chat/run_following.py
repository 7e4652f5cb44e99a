"""Sync column: follows one run to its end, by its events where there are any, else by polling."""

import logging
import re
from collections.abc import Callable, Generator
from contextlib import closing

from pydantic import ValidationError

from streamlit_assistant.chat.assistants_client import (
    AssistantsClient,
    PolledRun,
    new_key,
)
from streamlit_assistant.chat.assistants_payloads import MessageDelta, Run, StreamError
from streamlit_assistant.chat.chat_errors import ChatError
from streamlit_assistant.chat.chat_records import (
    Ending,
    Finished,
    RunState,
    TextDelta,
    Update,
    Waiting,
)
from streamlit_assistant.chat.patience import Patience, Timing
from streamlit_assistant.chat.run_events import EventStream
from streamlit_assistant.chat.run_polling import poll_run
from streamlit_assistant.chat.streamed_answer import StreamedAnswer
from streamlit_assistant.event_frames import Frame, StreamBroken, Tick

logger = logging.getLogger(__name__)

POST_PATIENCE = 20.0  # seconds: somebody is watching the spinner
RUN_PATIENCE = 60.0  # seconds: long enough for the server to be restarted
STARTS = 3  # streams of a new run, of which none got as far as naming it

_RUN_EVENT = re.compile(r"thread\.run\.\w+")  # not the steps of runs


class Progress:
    """How long a turn has been going on, where its run stands, and where in the queue."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._began = timing.monotonic()
        self.status = "queued"
        self.position: int | None = None
        self.resting: int | None = None

    def note(self, status: str, position: int | None = None, resting: int | None = None) -> None:
        """Take in where the run stands."""
        self.status, self.position, self.resting = status, position, resting

    def waiting(self) -> Waiting:
        """A sign of life as of now."""
        elapsed = self._timing.monotonic() - self._began
        return Waiting(elapsed, self.status, self.position, self.resting)


class RunFollower:
    """Yields what one run writes, exactly once, over broken streams and missing ones."""

    def __init__(
        self,
        api: AssistantsClient,
        timing: Timing,
        progress: Progress,
        thread_id: str,
        *,
        streaming: bool,
    ) -> None:
        self._api = api
        self._posting = Patience(timing, POST_PATIENCE)
        self._patience = Patience(timing, RUN_PATIENCE)
        self._progress = progress
        self._thread_id = thread_id
        self._streaming = streaming
        self._answer = StreamedAnswer()
        self._run_id: str | None = None
        self._last_event: int | None = None
        self._request_id: str | None = None  # of the first request: the run logs under it
        self._complaint = ""

    def start(self, assistant_id: str) -> Generator[Update, None, None]:
        """Create a run and follow it."""
        thread_id, key = self._thread_id, new_key()
        if self._streaming:
            run = yield from self._start_stream(
                lambda: self._api.stream_run(thread_id, assistant_id, key)
            )
            yield from self._finish(run)
            return
        made = yield from self._posting.insist(
            lambda: self._api.create_run(thread_id, assistant_id, key), sign=self._progress.waiting
        )
        self._request_id = made.request_id
        yield from self.attach(made.state.id)

    def attach(self, run_id: str) -> Generator[Update, None, None]:
        """Follow a run that exists already, from its first word on."""
        self._run_id = run_id
        run = yield from self._follow(self._events())
        yield from self._finish(run)

    def _start_stream(
        self, start: Callable[[], EventStream]
    ) -> Generator[Update, None, RunState | None]:
        run, patience = None, self._posting
        for _ in range(STARTS):
            stream = yield from patience.insist(start, sign=self._progress.waiting)
            run = yield from self._follow(stream)
            if self._run_id is not None or not self._api.knows_keys:
                break
            # The same request once more gives the same run's events, from their first one.
            patience = self._patience
        return run

    def _follow(self, stream: EventStream | None) -> Generator[Update, None, RunState | None]:
        run: RunState | None = None
        while stream is not None:
            seen = self._last_event
            try:
                run = yield from self._read(stream)
                stream = None
            except StreamBroken as broken:
                logger.info("%s", broken, extra={"run_id": self._run_id, "event": self._last_event})
                # Only a stream that got on is worth another one; frames without numbers
                # cannot be taken up again without showing words twice.
                stream = self._events() if self._last_event not in (None, seen) else None
        return run

    def _events(self) -> EventStream | None:
        if self._run_id is None or not self._streaming:
            return None
        try:
            return self._api.run_events(self._thread_id, self._run_id, self._last_event)
        except ChatError:
            # Not every server has this route. What else may be wrong, polling will find out.
            return None

    def _read(self, stream: EventStream) -> Generator[Update, None, RunState | None]:
        self._request_id = self._request_id or stream.request_id
        with closing(stream):
            for event in stream:
                if isinstance(event, Tick):
                    self._progress.note(self._progress.status, event.position, event.resting)
                    yield self._progress.waiting()
                elif event.event in ("error", "done"):
                    self._complaint = _complaint_in(event)
                    return None
                elif not self._seen(event):
                    news = self._digest(event)
                    if isinstance(news, RunState):
                        return news
                    # Counted only now: a frame that made no sense has not been seen.
                    self._last_event = event.id
                    yield news
        raise StreamBroken("The event stream ended before its run.")

    def _seen(self, frame: Frame) -> bool:
        if frame.id is None or self._last_event is None:
            return False
        return frame.id <= self._last_event

    def _digest(self, frame: Frame) -> Update | RunState:
        try:
            if frame.event == "thread.message.delta":
                words = self._answer.add(MessageDelta.model_validate_json(frame.data))
                return TextDelta(words) if words else self._progress.waiting()
            if _RUN_EVENT.fullmatch(frame.event):
                run = Run.model_validate_json(frame.data).record()
                self._run_id = run.id
                self._progress.note(run.status)
                if not run.active:
                    return run
        except ValidationError as exc:
            raise StreamBroken(f"A {frame.event} event makes no sense.") from exc
        return self._progress.waiting()

    def _poll(self) -> Generator[Update, None, RunState]:
        run_id = (yield from self._unnamed_run()) if self._run_id is None else self._run_id

        def look() -> PolledRun:
            polled = self._api.retrieve_run(self._thread_id, run_id)
            self._progress.note(polled.state.status, polled.position, polled.state.resting)
            return polled

        polled = yield from poll_run(look, self._patience, self._progress.waiting)
        self._request_id = self._request_id or polled.request_id
        return polled.state

    def _unnamed_run(self) -> Generator[Update, None, str]:
        # A server that knows no keys is not asked twice: what holds the thread now is the new run.
        run = yield from self._patience.insist(
            lambda: self._api.latest_run(self._thread_id), sign=self._progress.waiting
        )
        if run is None or not run.active:
            detail = self._complaint or "The server started no run."
            raise ChatError("server", detail, self._request_id)
        return run.id

    def _finish(self, seen: RunState | None) -> Generator[Update, None, None]:
        run = seen or (yield from self._poll())
        message = yield from self._patience.insist(
            lambda: self._api.answer(self._thread_id, run.id), sign=self._progress.waiting
        )
        if message is not None and (missing := self._answer.missing_from(message)):
            yield TextDelta(missing)
        yield Finished(
            ending=Ending(run.status),
            text=self._answer.text if message is None else message.text,
            message_id=None if message is None else message.id,
            error_message=run.error_message,
            error_code=run.error_code,
            request_id=self._request_id,
        )


def _complaint_in(frame: Frame) -> str:
    if frame.event != "error":
        return ""
    try:
        return StreamError.model_validate_json(frame.data).error.message
    except ValidationError:
        return ""
