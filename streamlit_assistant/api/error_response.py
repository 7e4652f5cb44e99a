"""Errors as answers: one handler renders OpenAI's envelope for whatever was raised."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from streamlit_assistant import responses
from streamlit_assistant.errors import (
    AssistantError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ServerFault,
    TooManyRuns,
    Unavailable,
)
from streamlit_assistant.runs.patience import PASSING

logger = logging.getLogger(__name__)


async def render_error(request: Request, error: Exception) -> JSONResponse:
    """Answer with the error envelope."""
    known = _known(request, error)
    body = responses.error(known.message, known.type, known.param, known.code)
    return JSONResponse(body, known.status, _headers(known, error))


def _headers(known: AssistantError, error: Exception) -> dict[str, str]:
    if isinstance(known, TooManyRuns):
        return {"Retry-After": str(known.retry_after)}
    match known.status:
        case 401:
            return {"WWW-Authenticate": "Bearer"}
        case 409:
            return {"Retry-After": "1", "x-should-retry": "true"}
        case 503:
            return {"Retry-After": "1"}
        case 500 if known.code == "upstream_unavailable":
            return {"x-should-retry": "false"}  # asking us again does not mend the other server
    headers = error.headers if isinstance(error, HTTPException) else None
    return dict(headers or {})


def _known(request: Request, error: Exception) -> AssistantError:
    if isinstance(error, AssistantError):
        return error
    if isinstance(error, HTTPException):
        return _routing_error(request, error)
    if isinstance(error, PASSING):
        logger.warning("the database cannot be used: %s", error.__class__.__name__)
        return Unavailable("The server's database cannot be reached; try again in a moment.")
    logger.error("request failed", exc_info=error, extra={"path": request.url.path})
    return ServerFault("The server had an error while processing your request. Its log says what.")


def _routing_error(request: Request, error: HTTPException) -> AssistantError:
    url = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return NotFound(f"Invalid URL ({url})")
    if error.status_code == 405:
        return MethodNotAllowed(f"Invalid method for URL ({url})", code="method_not_supported")
    return InvalidRequest(str(error.detail))
