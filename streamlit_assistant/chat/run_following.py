"""Sync column: follows one run to its end, by its events where there are any, else by polling."""

import logging
import re
from collections.abc import Generator
from contextlib import closing
from uuid import uuid4

from pydantic import ValidationError

from streamlit_assistant.chat.assistants_client import AssistantsClient, EventStream, PolledRun
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
from streamlit_assistant.chat.posting import post_once
from streamlit_assistant.chat.run_polling import poll_run
from streamlit_assistant.chat.streamed_answer import StreamedAnswer
from streamlit_assistant.event_frames import Frame, StreamBroken, Tick

logger = logging.getLogger(__name__)

POST_PATIENCE = 20.0  # seconds: somebody is watching the spinner
RUN_PATIENCE = 60.0  # seconds: long enough for the server to be restarted

_RUN_EVENT = re.compile(r"thread\.run\.\w+")  # not the steps of runs


class Progress:
    """How long a turn has been going on and where its run stands."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._began = timing.monotonic()
        self.status = "queued"

    def waiting(self) -> Waiting:
        """A sign of life as of now."""
        return Waiting(self._timing.monotonic() - self._began, self.status)


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
        self._mark = uuid4().hex
        self._answer = StreamedAnswer()
        self._run_id: str | None = None
        self._last_event: int | None = None
        self._request_id: str | None = None  # of the first request: the run logs under it
        self._complaint = ""

    def start(self, assistant_id: str) -> Generator[Update, None, None]:
        """Create a run and follow it."""

        def create() -> EventStream | RunState:
            if self._streaming:
                return self._api.stream_run(self._thread_id, assistant_id, self._mark)
            made = self._api.create_run(self._thread_id, assistant_id, self._mark)
            self._request_id = made.request_id
            return made.state

        created = yield from post_once(
            self._posting, create, self._find_run, self._progress.waiting
        )
        if isinstance(created, RunState):
            yield from self.attach(created.id)
        else:
            yield from self._follow(created)

    def attach(self, run_id: str) -> Generator[Update, None, None]:
        """Follow a run that exists already, from its first word on."""
        self._run_id = run_id
        yield from self._follow(self._events())

    def _follow(self, stream: EventStream | None) -> Generator[Update, None, None]:
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
        if run is None:
            run = yield from self._poll()
        yield from self._finish(run)

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
                self._run_id, self._progress.status = run.id, run.status
                if not run.active:
                    return run
        except ValidationError as exc:
            raise StreamBroken(f"A {frame.event} event makes no sense.") from exc
        return self._progress.waiting()

    def _poll(self) -> Generator[Update, None, RunState]:
        run_id = (yield from self._lost_run()) if self._run_id is None else self._run_id

        def look() -> PolledRun:
            polled = self._api.retrieve_run(self._thread_id, run_id)
            self._progress.status = polled.state.status
            return polled

        polled = yield from poll_run(look, self._patience, self._progress.waiting)
        self._request_id = self._request_id or polled.request_id
        return polled.state

    def _lost_run(self) -> Generator[Update, None, str]:
        # The stream of a new run broke before it named the run.
        run = yield from self._patience.insist(self._find_run, sign=self._progress.waiting)
        if run is None:
            detail = self._complaint or "The server started no run."
            raise ChatError("server", detail, self._request_id)
        return run.id

    def _finish(self, run: RunState) -> Generator[Update, None, None]:
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

    def _find_run(self) -> RunState | None:
        return self._api.find_run(self._thread_id, self._mark)


def _complaint_in(frame: Frame) -> str:
    if frame.event != "error":
        return ""
    try:
        return StreamError.model_validate_json(frame.data).error.message
    except ValidationError:
        return ""
