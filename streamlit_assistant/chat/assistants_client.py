"""Sync column: the calls a chat makes, one request each; here foreign errors become ChatError.

Nothing here tries twice. Every POST is sent with a key, under which our server does it only once:
whoever tries again gives the same key.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from streamlit_assistant.chat.assistants_payloads import ListedThread, Message, Page, Run, Thread
from streamlit_assistant.chat.chat_errors import ChatError, translate
from streamlit_assistant.chat.chat_records import ChatMessage, ChatThread, ModelState, RunState
from streamlit_assistant.chat.pause_headers import poll_after
from streamlit_assistant.chat.run_events import EventStream
from streamlit_assistant.chat.upstream_payloads import Upstream

P = TypeVar("P", bound=BaseModel)

CONNECT_TIMEOUT = 5.0  # seconds
# The longest silence on a connection. Our own server breaks it every quarter of a second; one
# without heartbeats that thinks for longer is polled from then on, so the page stays alive.
READ_TIMEOUT = 15.0  # seconds
HEARTBEAT_HEADER = {"X-Heartbeat-Seconds": "0.25"}
EXTENSION_HEADERS = {"OpenAI-Beta": "assistants=v2"}  # the SDK adds it to the routes it knows
KEY_HEADER = "Idempotency-Key"  # a server that shows it in its answers has understood it
# Before these a request has not been sent, after the others of their kind it may have been.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True)
class PolledRun:
    """A run as answered, and in how many seconds the server wants to be asked again."""

    state: RunState
    poll_after: float | None
    request_id: str | None
    position: int | None = None  # in the queue, while it waits there (an extension)


class AssistantsClient:
    """The Assistants API as a chat uses it; every method raises ChatError and nothing else."""

    def __init__(self, client: openai.OpenAI, wall_clock: Callable[[], float]) -> None:
        timeout = openai.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        self._client = client.with_options(max_retries=0, timeout=timeout)
        self._threads = self._client.beta.threads
        self._wall_clock = wall_clock
        self.knows_keys = True  # the server does; taken for granted until an answer lacks its key

    def create_thread(
        self, key: str, messages: Sequence[tuple[str, str]] = (), *, temporary: bool = False
    ) -> str:
        """Create a thread of these messages, by role and text, and return its id.

        A `temporary` one is not kept for long and listed nowhere (an extension: else rejected).
        """
        first: Any = [{"role": role, "content": text} for role, text in messages]
        with self._posting():
            answer = self._threads.with_raw_response.create(
                messages=first or openai.omit,
                extra_body={"temporary": True} if temporary else None,
                extra_headers={KEY_HEADER: key},
            )
            self._note(answer.headers)
            return _read(Thread, answer.content).id

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread with all that is in it, and stop what is being written there."""
        with self._border():
            self._threads.with_raw_response.delete(thread_id)

    def post_message(self, thread_id: str, text: str, key: str) -> ChatMessage:
        """Add a person's message to the thread."""
        with self._posting():
            answer = self._threads.messages.with_raw_response.create(
                thread_id, role="user", content=text, extra_headers={KEY_HEADER: key}
            )
            self._note(answer.headers)
            return _read(Message, answer.content).record()

    def create_run(self, thread_id: str, assistant_id: str, key: str) -> PolledRun:
        """Start a run without following it."""
        with self._posting():
            answer = self._threads.runs.with_raw_response.create(
                thread_id, assistant_id=assistant_id, extra_headers={KEY_HEADER: key}
            )
            self._note(answer.headers)
            return _polled(answer.http_response)

    def stream_run(self, thread_id: str, assistant_id: str, key: str) -> EventStream:
        """Start a run, or find the one started with this key; stay on the line for its events."""
        with self._posting():
            stream = self._threads.runs.create(
                thread_id,
                assistant_id=assistant_id,
                stream=True,
                extra_headers=HEARTBEAT_HEADER | {KEY_HEADER: key},
            )
        self._note(stream.response.headers)
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

    def latest_run(self, thread_id: str) -> RunState | None:
        """The thread's newest run."""
        with self._border():
            answer = self._threads.runs.with_raw_response.list(thread_id, limit=1, order="desc")
            return next((run.record() for run in _read(Page[Run], answer.content).data), None)

    def retrieve_run(self, thread_id: str, run_id: str) -> PolledRun:
        """Look at a run."""
        with self._border():
            answer = self._threads.runs.with_raw_response.retrieve(run_id, thread_id=thread_id)
            return _polled(answer.http_response)

    def cancel_run(self, thread_id: str, run_id: str, key: str) -> None:
        """Ask the server to stop a run."""
        with self._border():
            self._threads.runs.with_raw_response.cancel(
                run_id, thread_id=thread_id, extra_headers={KEY_HEADER: key}
            )

    def answer(self, thread_id: str, run_id: str) -> ChatMessage | None:
        """The newest message the run wrote."""
        newest, _ = self._list_messages(thread_id, 1, run_id=run_id)
        # A server that ignores the filter answers with the thread's newest message, whosever it is.
        return next((each.record() for each in newest if each.run_id == run_id), None)

    def messages(self, thread_id: str, limit: int, before: str | None) -> list[ChatMessage]:
        """The thread's newest messages, or those just older than `before`; the oldest first."""
        newest_first, _ = self._list_messages(thread_id, limit, after=before)
        return [message.record() for message in reversed(newest_first)]

    def messages_after(self, thread_id: str, after: str | None, limit: int) -> list[ChatMessage]:
        """The thread's first messages, or those that follow `after`; the oldest first."""
        oldest_first, _ = self._list_messages(thread_id, limit, order="asc", after=after)
        return [message.record() for message in oldest_first]

    def message_count(self, thread_id: str) -> int | None:
        """How many messages the thread holds (an extension: else None)."""
        return self._list_messages(thread_id, 1)[1]

    def file_content(self, file_id: str) -> bytes:
        """The bytes of a file."""
        with self._border():
            answer = self._client.files.content(file_id, extra_headers=EXTENSION_HEADERS)
            return answer.content

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

    def upstream(self) -> ModelState:
        """Who answers, and what its last test has shown (an extension: else not_found)."""
        with self._border():
            answer = self._client.get(
                "/upstream", cast_to=httpx2.Response, options={"headers": EXTENSION_HEADERS}
            )
            return _read(Upstream, answer.content).record()

    def begin_probe(self) -> ModelState:
        """Have the model tested, unless that is being done already; does not wait for the end.

        Safe to repeat without a key: whoever asks again meets the test that is being made.
        """
        with self._border():
            answer = self._client.post(
                "/upstream/probe",
                cast_to=httpx2.Response,
                body={"wait": False},
                options={"headers": EXTENSION_HEADERS},
            )
            return _read(Upstream, answer.content).record()

    def _list_messages(
        self,
        thread_id: str,
        limit: int,
        *,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
        run_id: str | None = None,
    ) -> tuple[list[Message], int | None]:
        with self._border():
            answer = self._threads.messages.with_raw_response.list(
                thread_id,
                limit=limit,
                order=order,
                after=after or openai.omit,
                run_id=run_id or openai.omit,
            )
            listed = _read(Page[Message], answer.content).data
        return listed, _number(answer.headers.get("x-message-count"))

    def _note(self, headers: httpx2.Headers) -> None:
        self.knows_keys = KEY_HEADER in headers

    @contextmanager
    def _posting(self) -> Iterator[None]:
        try:
            with self._border():
                yield
        except ChatError as error:
            # Nobody knows whether it was done, and such a server would do it once more.
            if not self.knows_keys and _may_be_done(error):
                error.transient = False
            raise

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
    return PolledRun(
        _read(Run, answer.content).record(),
        poll_after(answer.headers),
        answer.headers.get("x-request-id"),
        _number(answer.headers.get("x-queue-position")),
    )


def _number(header: str | None) -> int | None:
    return int(header) if header and re.fullmatch("[0-9]{1,9}", header) else None


def _segment(object_id: str) -> str:
    # Like the SDK on its own routes: an id of dots would lead to another address.
    if not object_id.strip("."):
        raise ValueError(f"{object_id!r} is no id.")
    return quote(object_id, safe="")


def new_key() -> str:
    """A key for a request, to be given again whenever the same request is."""
    return uuid4().hex


def _may_be_done(error: ChatError) -> bool:
    refusal = error.__cause__
    if isinstance(refusal, openai.APIConnectionError):
        return not isinstance(refusal.__cause__, NOT_SENT)
    return error.kind in ("unreachable", "server")
