"""Server-sent events: the only place that writes frames.

Every frame carries the event's sequence number as its `id`, so that a follower which lost the
connection can go on from there. A comment line is sent while nothing happens: proxies keep the
connection, and a client that reads comments has a sign of life. The official client skips both.
"""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import StreamingResponse

from streamlit_assistant import responses
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import Run, RunEvent
from streamlit_assistant.runs.channel import PAUSES, ends_stream

logger = logging.getLogger(__name__)

Follow = Callable[[Run, int, float], AsyncIterator[Sequence[RunEvent]]]
# Tells where a silent run stands: `queued 3` is its place in the queue, `resting 12` that its model
# server has asked for so many seconds' pause.
Standing = Callable[[], Awaitable[str | None]]

WORDS = "thread.message.delta"
DONE = b"event: done\ndata: [DONE]\n\n"
# Without the empty line that ends an event: the official client remembers the last event's `id` and
# takes whatever an empty line ends for an event, which then has no data.
HEARTBEAT = b": waiting\n"
HEARTBEAT_HEADER = "x-heartbeat-seconds"
DEFAULT_HEARTBEAT_SECONDS = 10.0
SHORTEST_HEARTBEAT_SECONDS = 0.1
LONGEST_HEARTBEAT_SECONDS = 60.0

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would otherwise deliver the text in lumps
}


STOPPED = "The stream ended before the run: it was deleted, or the server is ending."


def stream_events(
    follow: Follow, run: Run, heartbeat: float, after: int, standing: Standing
) -> StreamingResponse:
    """Answer with a run's events behind a number, until it pauses or ends.

    Until there are words of an answer, the signs of life tell its `standing`.
    """
    frames = _frames(follow(run, after, heartbeat), standing, run.status in PAUSES)
    return StreamingResponse(frames, media_type="text/event-stream", headers=HEADERS)


async def _frames(
    batches: AsyncIterator[Sequence[RunEvent]], standing: Standing, over: bool
) -> AsyncGenerator[bytes, None]:
    speaks = False
    try:
        async for batch in batches:
            if not batch:
                told = None if speaks else await standing()
                yield f": {told}\n".encode() if told else HEARTBEAT
                continue
            speaks = batch[-1].name == WORDS
            over = ends_stream(batch[-1])
            yield b"".join(_frame(event) for event in batch)
    except Exception:  # the stream's outermost frame: silence would look like an end
        logger.exception("event stream broke")
        yield _error_frame("The server could not read the events of this run. Its log says why.")
        return
    yield DONE if over else _error_frame(STOPPED)


def _frame(event: RunEvent) -> bytes:
    return f"id: {event.seq}\nevent: {event.name}\ndata: {event.data}\n\n".encode()


def _error_frame(message: str) -> bytes:
    # Nested, not flat: only so does the official client raise.
    body = responses.error(message, "server_error", None, None)
    return f"event: error\ndata: {json.dumps(body)}\n\n".encode()


def heartbeat_seconds(request: Request) -> float:
    """Return how long a stream may be silent before it shows a sign of life."""
    given = request.headers.get(HEARTBEAT_HEADER)
    if given is None:
        return DEFAULT_HEARTBEAT_SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not SHORTEST_HEARTBEAT_SECONDS <= seconds <= LONGEST_HEARTBEAT_SECONDS:
        raise InvalidRequest(
            f"Invalid header '{HEARTBEAT_HEADER}': expected a number of seconds from "
            f"{SHORTEST_HEARTBEAT_SECONDS} to {LONGEST_HEARTBEAT_SECONDS:.0f}, "
            f"but got '{given[:40]}' instead."
        )
    return seconds
