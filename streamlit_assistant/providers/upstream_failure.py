"""Failures of model servers, put into words for the person who waits for the answer.

The server's own words are passed on, with anything that looks like a key taken out.
"""

import json
import re
from typing import Any

import httpx2

from streamlit_assistant.errors import RunErrorCode, Unreachable, UpstreamError
from streamlit_assistant.event_frames import StreamBroken
from streamlit_assistant.providers.surrogates import whole

_KEY = re.compile(r"\b(?:sk|key|gsk|xai)-[\w*.-]{4,}")
MOST_WORDS = 500  # characters of the server's own words; some answer a whole page
SHORTEST_KEY = 4  # shorter ones are placeholders and stand in ordinary words
EVENT_STREAM = "text/event-stream"
WEB_PAGE = (
    "OPENAI_BASE_URL leads to a web page, not to a model server: "
    "check the address; most end in /v1."
)

# What the client raises, and a broken frame; everything else is a defect of ours.
FAILURES = (
    *(httpx2.HTTPError, httpx2.InvalidURL, TimeoutError),
    *(ValueError, RecursionError, StreamBroken),  # of what is no JSON, or too deep
)


class Explainer:
    """Explains the failures of one model server."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        url = httpx2.URL(base_url).copy_with(username=None, password=None)
        self._where = f"The model server at {str(url).rstrip('/')}"
        self._api_key = api_key or ""

    def failure(self, error: Exception) -> UpstreamError:
        """Explain one of `FAILURES`."""
        if isinstance(error, httpx2.ConnectError):
            return Unreachable(f"{self._where} cannot be reached.")
        if isinstance(error, TimeoutError | httpx2.TimeoutException):
            return UpstreamError(f"{self._where} did not answer in time.")
        if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL):
            return UpstreamError(f"{self._where} cannot be reached: the connection broke.")
        return UpstreamError(f"{self._where} sent something that is not a valid answer.")

    def error_frame(self, error: object) -> UpstreamError:
        """Explain an error that came in mid-stream, where a piece of the answer should be."""
        return UpstreamError(f"{self._where} reported an error: {self._clean(_message(error))}")

    async def read_json(self, response: httpx2.Response) -> Any:
        """Return the body of an answer that is not streamed; raise `UpstreamError`."""
        kind = _kind(response)
        if not response.is_success:
            raise self._status(response, await _beginning(response), kind)
        if kind == "text/html":
            raise UpstreamError(WEB_PAGE)
        return json.loads(await response.aread())

    async def refuse_unless_streaming(self, response: httpx2.Response) -> None:
        """Raise `UpstreamError` unless the response is the event stream that was asked for."""
        kind = _kind(response)
        if not response.is_success:
            raise self._status(response, await _beginning(response), kind)
        if kind == "text/html":
            raise UpstreamError(WEB_PAGE)
        if kind == "application/json":
            body = _parsed(await _beginning(response))
            if isinstance(body, dict) and body.get("error"):
                raise self.error_frame(body["error"])
            raise UpstreamError("The model server does not stream: it answered with one JSON body.")

    def _status(self, response: httpx2.Response, body: str, kind: str) -> UpstreamError:
        words = "it answered with a web page." if "html" in kind else _said(body)
        request_id = response.headers.get("x-request-id")
        said = self._clean(words) + (f" (request {request_id})" if request_id else "")
        match response.status_code:
            case 401 | 403:
                return UpstreamError(f"{self._where} refused the key in OPENAI_API_KEY: {said}")
            case 404:
                return UpstreamError(f"{self._where} does not know this model or address: {said}")
            case 402 | 429:
                return UpstreamError(
                    f"{self._where} refuses more requests for now: {said}",
                    RunErrorCode.RATE_LIMIT_EXCEEDED,
                )
            case 400 | 413 | 422:
                return UpstreamError(
                    f"{self._where} refused the request: {said}", RunErrorCode.INVALID_PROMPT
                )
            case status:
                return UpstreamError(f"{self._where} failed with status {status}: {said}")

    def _clean(self, words: str) -> str:
        if len(self._api_key) > SHORTEST_KEY:
            words = words.replace(self._api_key, "…")
        return whole(_KEY.sub("…", words)[:MOST_WORDS])


def _kind(response: httpx2.Response) -> str:
    kind: str = response.headers.get("content-type", EVENT_STREAM)
    return kind.split(";")[0].strip()


async def _beginning(response: httpx2.Response) -> str:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > 100 * MOST_WORDS:
            break
    return body.decode(errors="replace")


def _said(body: str) -> str:
    parsed = _parsed(body)
    if isinstance(parsed, dict):
        # OpenAI nests the error; some servers answer it flat, or as FastAPI's `detail`.
        return _message(parsed.get("error") or parsed.get("detail") or parsed)
    return body.strip() or "without a word."


def _message(error: object) -> str:
    if isinstance(error, dict):
        message = error.get("message")
        return message if isinstance(message, str) and message else json.dumps(error)
    return str(error)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
