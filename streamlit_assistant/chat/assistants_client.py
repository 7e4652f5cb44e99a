"""Sync column: the calls a chat makes, one request each; here foreign errors become ChatError.

Nothing here tries twice: whether that is safe is for the callers to know.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from streamlit_assistant.chat.assistants_payloads import ListedThread, Message, Page, Run, Thread
from streamlit_assistant.chat.chat_errors import ChatError, translate
from streamlit_assistant.chat.chat_records import ChatMessage, ChatThread, RunState
from streamlit_assistant.chat.pause_headers import poll_after
from streamlit_assistant.event_frames import Frame, StreamBroken, Tick, read_events

P = TypeVar("P", bound=BaseModel)

CONNECT_TIMEOUT = 5.0  # seconds
# The longest silence on a connection. Our own server breaks it every quarter of a second; one
# without heartbeats that thinks for longer is polled from then on, so the page stays alive.
READ_TIMEOUT = 15.0  # seconds
HEARTBEAT_HEADER = {"X-Heartbeat-Seconds": "0.25"}
EXTENSION_HEADERS = {"OpenAI-Beta": "assistants=v2"}  # the SDK adds it to the routes it knows
MARK = "chat_post"  # metadata key: tells what one attempt to post made from everything else
NEWEST = 5  # objects to look through for a mark, should others have posted since


@dataclass(frozen=True)
class PolledRun:
    """A run as answered, and in how many seconds the server wants to be asked again."""

    state: RunState
    poll_after: float | None
    request_id: str | None


class EventStream:
    """An open stream of a run's events; whatever breaks it raises StreamBroken."""

    def __init__(self, stream: openai.Stream[Any]) -> None:
        self._stream = stream
        self.request_id: str | None = stream.response.headers.get("x-request-id")

    def __iter__(self) -> Iterator[Frame | Tick]:
        try:
            yield from read_events(self._stream.response.iter_bytes())
        except (httpx2.RequestError, httpx2.StreamError, OSError) as exc:
            raise StreamBroken(f"The event stream broke: {exc}") from exc

    def close(self) -> None:
        """Hang up. The run goes on."""
        self._stream.close()


class AssistantsClient:
    """The Assistants API as a chat uses it; every method raises ChatError and nothing else."""

    def __init__(self, client: openai.OpenAI, wall_clock: Callable[[], float]) -> None:
        timeout = openai.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        self._client = client.with_options(max_retries=0, timeout=timeout)
        self._threads = self._client.beta.threads
        self._wall_clock = wall_clock

    def create_thread(self) -> str:
        """Create an empty thread and return its id."""
        with self._border():
            return _read(Thread, self._threads.with_raw_response.create().content).id

    def post_message(self, thread_id: str, text: str, mark: str) -> ChatMessage:
        """Add a person's message to the thread."""
        with self._border():
            answer = self._threads.messages.with_raw_response.create(
                thread_id, role="user", content=text, metadata={MARK: mark}
            )
            return _read(Message, answer.content).record()

    def find_message(self, thread_id: str, mark: str) -> ChatMessage | None:
        """The newest message with this mark."""
        newest, _ = self._list_messages(thread_id, NEWEST)
        return next((each.record() for each in newest if _bears(each.metadata, mark)), None)

    def create_run(self, thread_id: str, assistant_id: str, mark: str) -> PolledRun:
        """Start a run without following it."""
        with self._border():
            answer = self._threads.runs.with_raw_response.create(
                thread_id, assistant_id=assistant_id, metadata={MARK: mark}
            )
            return _polled(answer.http_response)

    def stream_run(self, thread_id: str, assistant_id: str, mark: str) -> EventStream:
        """Start a run and stay on the line for its events."""
        with self._border():
            stream = self._threads.runs.create(
                thread_id,
                assistant_id=assistant_id,
                metadata={MARK: mark},
                stream=True,
                extra_headers=HEARTBEAT_HEADER,
            )
        return EventStream(stream)

    def run_events(self, thread_id: str, run_id: str, after: int | None = None) -> EventStream:
        """The run's events, all or those `after` one seen (an extension: else not_found)."""
        headers = EXTENSION_HEADERS | HEARTBEAT_HEADER
        if after is not None:
            headers |= {"Last-Event-ID": str(after)}
        with self._border():
            stream = self._client.get(
                f"/threads/{_segment(thread_id)}/runs/{_segment(run_id)}/events",
                cast_to=object,
                options={"headers": {"Accept": "text/event-stream", **headers}},
                stream=True,
                stream_cls=openai.Stream[object],
            )
        return EventStream(stream)

    def find_run(self, thread_id: str, mark: str) -> RunState | None:
        """The newest run with this mark."""
        newest = self._newest_runs(thread_id, NEWEST)
        return next((run.record() for run in newest if _bears(run.metadata, mark)), None)

    def latest_run(self, thread_id: str) -> RunState | None:
        """The thread's newest run."""
        return next((run.record() for run in self._newest_runs(thread_id, 1)), None)

    def retrieve_run(self, thread_id: str, run_id: str) -> PolledRun:
        """Look at a run."""
        with self._border():
            answer = self._threads.runs.with_raw_response.retrieve(run_id, thread_id=thread_id)
            return _polled(answer.http_response)

    def cancel_run(self, thread_id: str, run_id: str) -> None:
        """Ask the server to stop a run."""
        with self._border():
            self._threads.runs.with_raw_response.cancel(run_id, thread_id=thread_id)

    def answer(self, thread_id: str, run_id: str) -> ChatMessage | None:
        """The newest message the run wrote."""
        newest, _ = self._list_messages(thread_id, 1, run_id=run_id)
        # A server that ignores the filter answers with the thread's newest message, whosever it is.
        return next((each.record() for each in newest if each.run_id == run_id), None)

    def messages(self, thread_id: str, limit: int, before: str | None) -> list[ChatMessage]:
        """The thread's newest messages, or those just older than `before`; the oldest first."""
        newest_first, _ = self._list_messages(thread_id, limit, after=before)
        return [message.record() for message in reversed(newest_first)]

    def message_count(self, thread_id: str) -> int | None:
        """How many messages the thread holds (an extension: else None)."""
        return self._list_messages(thread_id, 1)[1]

    def threads(self, limit: int) -> list[ChatThread]:
        """The caller's threads, last active first (an extension: else not_found)."""
        with self._border():
            answer = self._client.get(
                "/threads",
                cast_to=httpx2.Response,
                options={"params": {"limit": limit}, "headers": EXTENSION_HEADERS},
            )
            listed = _read(Page[ListedThread], answer.content).data
        return [thread.record() for thread in listed]

    def _list_messages(
        self, thread_id: str, limit: int, *, after: str | None = None, run_id: str | None = None
    ) -> tuple[list[Message], int | None]:
        with self._border():
            answer = self._threads.messages.with_raw_response.list(
                thread_id,
                limit=limit,
                order="desc",
                after=after or openai.omit,
                run_id=run_id or openai.omit,
            )
            newest_first = _read(Page[Message], answer.content).data
        count = answer.headers.get("x-message-count", "")
        return newest_first, int(count) if count.isdecimal() else None

    def _newest_runs(self, thread_id: str, limit: int) -> list[Run]:
        with self._border():
            answer = self._threads.runs.with_raw_response.list(thread_id, limit=limit, order="desc")
            return _read(Page[Run], answer.content).data

    @contextmanager
    def _border(self) -> Iterator[None]:
        try:
            yield
        except (openai.OpenAIError, httpx2.HTTPError) as exc:
            secret = self._client.api_key
            raise translate(exc, secret=secret, now=self._wall_clock()) from exc
        except ValidationError as exc:
            # Without the error's own words: they quote what was received.
            detail = "The server's answer is not one of the Assistants API."
            raise ChatError("server", detail) from exc
        except ValueError as exc:
            # The SDK refuses ids that fit into no path, such as "..", and text that is not Unicode.
            raise ChatError("rejected", str(exc)) from exc


def _read(payload: type[P], content: bytes) -> P:
    # Not the SDK's own parsing: it passes anything on, even a page of HTML as a string.
    return payload.model_validate_json(content)


def _polled(answer: httpx2.Response) -> PolledRun:
    state = _read(Run, answer.content).record()
    return PolledRun(state, poll_after(answer.headers), answer.headers.get("x-request-id"))


def _segment(object_id: str) -> str:
    # Like the SDK on its own routes: an id of dots would lead to another address.
    if not object_id.strip("."):
        raise ValueError(f"{object_id!r} is no id.")
    return quote(object_id, safe="")


def _bears(metadata: dict[str, object] | None, mark: str) -> bool:
    return (metadata or {}).get(MARK) == mark
