"""What a repeated request is answered with: what the first one was, or what has become of it."""

import json
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Scope, Send

from streamlit_assistant.api.event_stream import HEARTBEAT_HEADER
from streamlit_assistant.api.hashed_body import HashedBody
from streamlit_assistant.api.made_objects import may_stream, places
from streamlit_assistant.api.remembered_answer import (
    HeaderPairs,
    RememberedAnswer,
    header,
    is_stream,
    pairs,
)
from streamlit_assistant.api.requests import MOST_BODY_BYTES
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.records import RunStatus
from streamlit_assistant.store import Store
from streamlit_assistant.store.idempotency_keys import Claim, KeyedRequest

REPLAYED_HEADER = "Idempotent-Replayed"
LOCATION_HEADER = "content-location"
# An object in one of these was neither cancelled nor completed.
_GOING_ON = frozenset({"queued", "in_progress", "requires_action", "pending"})
_PAUSED = f"thread.run.{RunStatus.REQUIRES_ACTION}"


class Repetitions:
    """Answers requests whose key is known, with what is remembered or by looking at the API."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self._store = store

    async def answer(self, known: KeyedRequest, scope: Scope, body: HashedBody, send: Send) -> bool:
        """Answer; return False if nothing came of the first one, and leave the body unread."""
        headers = known.headers or ()
        if known.status is None or (known.answer is None and not is_stream(headers)):
            return await self._look(known, scope, body, _marked(send))
        await body.read_out()
        _check_body(known, body)
        if known.answer is None:
            events = _look_at(scope, header(headers, LOCATION_HEADER))
            await self._app(events, body.receive, _marked(send))
        else:
            first = _Seen(known.status, headers, bytearray(known.answer))
            await first.pass_on(_marked(send))
        return True

    async def _look(self, known: KeyedRequest, scope: Scope, body: HashedBody, send: Send) -> bool:
        """Answer with the object as it is now: the first answer is lost, or was too long."""
        place, seen = await self._find(known, scope)
        if seen is None or (seen.status == 404 and known.status is None) or seen.goes_on(scope):
            return False
        given = await body.read_out(keep=MOST_BODY_BYTES)
        _check_body(known, body)
        if seen.status != 200:
            await seen.pass_on(send)
            return True
        remembered = RememberedAnswer(self._store.idempotency_keys, Claim(known), body, send)
        if may_stream(scope["path"]) and _asks_for_stream(given):
            start = 0 if scope["path"].endswith("/runs") else await self._last_pause(place)
            events = _look_at(scope, f"{place}/events?after={start}")
            await self._app(events, body.receive, remembered.send)
        else:
            await seen.pass_on(remembered.send)
        return True

    async def _find(self, known: KeyedRequest, scope: Scope) -> tuple[str, "_Seen | None"]:
        root = scope.get("root_path", "")
        place, seen = "", None
        for path in places(scope["path"].removeprefix(root), known.made or ()):
            place, seen = root + path, _Seen()
            await self._app(_look_at(scope, place), _nothing, seen.send)
            if seen.status != 404:
                break
        return place, seen

    async def _last_pause(self, place: str) -> int:
        """Return the number behind which that came of a run which it was last resumed for."""
        events = await self._store.events.after(place.rpartition("/")[2], 0)
        pauses = [event.seq for event in events[:-1] if event.name == _PAUSED]
        return pauses[-1] if pauses else 0


class _Seen:
    """A whole answer."""

    def __init__(
        self, status: int = 0, headers: HeaderPairs = (), body: bytearray | None = None
    ) -> None:
        self.status = status
        self._headers = headers
        self._body = bytearray() if body is None else body

    async def send(self, message: Message) -> None:
        """Take the next part of it."""
        if message["type"] == "http.response.start":
            self.status, self._headers = message["status"], pairs(message)
        else:
            self._body += message.get("body", b"")

    async def pass_on(self, send: Send) -> None:
        """Give all of it."""
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self._body)})

    def goes_on(self, scope: Scope) -> bool:
        """Whether it shows that what was to be ended is not; to try that twice does no harm."""
        if not scope["path"].endswith(("/cancel", "/complete")) or self.status != 200:
            return False
        return json.loads(self._body).get("status") in _GOING_ON


def check_target(known: KeyedRequest, wanted: KeyedRequest) -> None:
    """Refuse a key that was used at another address."""
    if known.target != wanted.target:
        raise _reused("address")


def _check_body(known: KeyedRequest, body: HashedBody) -> None:
    # What was carried out without a look at all of its body may come again with any.
    if known.body_sha256 not in (None, body.sha256):
        raise _reused("body")


def _reused(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"This Idempotency-Key has been used for a request with another {what}. Repeat a key only "
        "with exactly the same request, and send every new request with a new key.",
        code="idempotency_key_reuse",
    )


def _marked(send: Send) -> Send:
    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[REPLAYED_HEADER] = "true"
        await send(message)

    return send_marked


def _look_at(scope: Scope, address: str) -> Scope:
    path, _, query = address.partition("?")
    given = Headers(scope=scope)
    headers = [(name, given[name]) for name in ("host", HEARTBEAT_HEADER) if name in given]
    return {
        **scope,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _asks_for_stream(body: bytes) -> bool:
    with suppress(ValueError):
        asked: Any = json.loads(body)
        return isinstance(asked, dict) and asked.get("stream") is True
    return False
