"""Where the API stands among the other routes of the process, from before it can be served."""

import re

from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from streamlit_assistant import responses


class ApiMount(Mount):
    """All below the prefix; by itself `Mount` leaves out paths that hold a line break."""

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, app)
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


class Deferred:
    """An ASGI application that is there before what it serves has been opened."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it, or say that it is not there yet."""
        if self.app is None:
            body = responses.error("The server is starting.", "server_error", None, None)
            await JSONResponse(body, 503)(scope, receive, send)
            return
        await self.app(scope, receive, send)
