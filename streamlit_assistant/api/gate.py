"""The gate every request passes: it gets a request id, and must show a key."""

import time
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from streamlit_assistant.api.auth import KeyRing
from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.errors import Unauthenticated
from streamlit_assistant.records import new_id


class Gate:
    """ASGI middleware. Behind it `owner(request)` says who is asking."""

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _marked(send, new_id("req"))
        try:
            owner = self._keys.principal(HTTPConnection(scope))
        except Unauthenticated as error:
            response = await render_error(Request(scope), error)
            await response(scope, receive, answer)
            return
        # A new dict: the outer application's state is shared by all requests.
        inner = {**scope, "state": {**scope.get("state", {}), "owner": owner}}
        await self._app(inner, receive, answer)


def owner(request: Request) -> str:
    """Return the principal whose key the request carries."""
    return str(request.state.owner)


def _marked(send: Send, request_id: str) -> Send:
    started = time.perf_counter()

    async def send_marked(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = request_id
            headers["openai-processing-ms"] = str(int((time.perf_counter() - started) * 1000))
            headers["openai-version"] = "2020-10-01"
        await send(message)

    return send_marked
