"""The gate every request passes: it gets a request id, and must show a key.

How strict the API is with its callers is decided here too, once for all routes.
"""

import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from streamlit_assistant.api.auth import KeyRing
from streamlit_assistant.api.error_response import render_error
from streamlit_assistant.errors import AssistantError, InvalidRequest
from streamlit_assistant.records import new_id
from streamlit_assistant.request_log import REQUEST_ID

BETA_HEADER, BETA = "openai-beta", "assistants=v2"
# OpenAI's clients send the header to these, and to nothing else.
_BETA_ROUTES = frozenset({"assistants", "threads", "vector_stores"})


@dataclass(frozen=True)
class Strictness:
    """What the API insists on. As it is: what the hosted service insisted on in the end."""

    ids: bool = True  # an id that cannot be one of its kind is refused instead of looked up
    beta_header: bool = False  # `OpenAI-Beta: assistants=v2` where OpenAI's clients send it


class Gate:
    """ASGI middleware. Behind it `owner(request)` says who is asking."""

    def __init__(self, app: ASGIApp, keys: KeyRing, strictness: Strictness) -> None:
        self._app = app
        self._keys = keys
        self._strictness = strictness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id("req")
        # Each request is served by a task of its own, so nothing has to be put back.
        REQUEST_ID.set(request_id)
        answer = _marked(send, request_id)
        connection = HTTPConnection(scope)
        try:
            owner = self._keys.principal(connection)
            if self._strictness.beta_header:
                _check_beta_header(connection)
        except AssistantError as error:
            response = await render_error(Request(scope), error)
            await response(scope, receive, answer)
            return
        # A new dict: the outer application's state is shared by all requests.
        state = {**scope.get("state", {}), "owner": owner, "strict_ids": self._strictness.ids}
        await self._app({**scope, "state": state}, receive, answer)


def owner(request: Request) -> str:
    """Return the principal whose key the request carries."""
    return str(request.state.owner)


def strict_ids(request: Request) -> bool:
    """Return whether ids that cannot be of their kind are refused."""
    return bool(request.state.strict_ids)


def _check_beta_header(connection: HTTPConnection) -> None:
    path = str(connection.scope["path"]).removeprefix(connection.scope.get("root_path", ""))
    if path.strip("/").partition("/")[0] not in _BETA_ROUTES:
        return
    given = ",".join(connection.headers.getlist(BETA_HEADER))
    if BETA not in (value.strip() for value in given.split(",")):
        raise InvalidRequest(
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try "
            f"again by setting the header 'OpenAI-Beta: {BETA}'.",
            code="invalid_beta",
        )


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
