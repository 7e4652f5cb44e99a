"""Sync column: the events of a run as they arrive; here whatever breaks becomes StreamBroken."""

from collections.abc import Iterator
from typing import Any

import httpx2
import openai

from streamlit_assistant.event_frames import Frame, StreamBroken, Tick, read_events


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
