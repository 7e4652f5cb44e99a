"""The bytes of an answer as chunks of a chat completion, be they a stream or one JSON body.

Some proxies answer in one piece although they were asked to stream, and not all of them say so in
the header: what begins like a JSON object is read as one.
"""

import json
from collections.abc import Iterator
from typing import Any

from streamlit_assistant.event_frames import Frame, FrameDecoder
from streamlit_assistant.providers.upstream_failure import Explainer
from streamlit_assistant.records import JSON

JSON_BODY = "application/json"
MOST_BYTES = 64 * 1024 * 1024  # of a body; an answer with images in it may be long

_DONE = "[DONE]"


class ChunkReader:
    """Reads one answer. `is_done`: the server said that nothing follows. `count`: of its chunks."""

    def __init__(self, explainer: Explainer, content_type: str) -> None:
        self.is_done = False
        self.count = 0
        self._explainer = explainer
        self._frames = FrameDecoder()
        # None: not known before the first byte.
        self._is_body = True if content_type == JSON_BODY else None
        self._body: list[bytes] = []
        self._length = 0

    def feed(self, piece: bytes) -> Iterator[JSON]:
        """Yield the chunks that are complete; raise `UpstreamError` or `ValueError`."""
        if self._is_body is None and (beginning := piece.lstrip()):
            self._is_body = beginning.startswith(b"{")
        if self._is_body:
            self._keep(piece)
            return
        for frame in self._frames.feed(piece):
            if not isinstance(frame, Frame):
                continue
            if frame.data.strip() == _DONE:
                self.is_done = True
                return
            self.count += 1
            yield self._checked(json.loads(frame.data), frame.event)

    def end(self) -> Iterator[JSON]:
        """Yield what an answer in one piece says, once all of it is there."""
        if not self._is_body or not self._length:
            return
        self.count += 1
        whole = self._checked(json.loads(b"".join(self._body)), "")
        if _first_choice(whole) is None:
            raise ValueError("a body that is no answer")
        self.is_done = True
        yield whole

    def _keep(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > MOST_BYTES:
            raise ValueError("a body without an end")
        self._body.append(piece)

    def _checked(self, chunk: Any, event: str) -> JSON:
        if not isinstance(chunk, dict):
            raise ValueError("a chunk that is not an object")
        if event == "error" or _is_flat_error(chunk):
            raise self._explainer.error_frame(chunk.get("error") or chunk)
        if error := chunk.get("error") or (_first_choice(chunk) or {}).get("error"):
            raise self._explainer.error_frame(error)
        return chunk


def _first_choice(chunk: JSON) -> JSON | None:
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _is_flat_error(chunk: JSON) -> bool:
    """Whether a chunk is an error without an envelope, as Mistral and FastAPI write them."""
    if "choices" in chunk or "error" in chunk:
        return False
    return chunk.get("object") == "error" or bool(chunk.get("detail") or chunk.get("message"))
