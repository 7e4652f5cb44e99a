"""Failures of model servers, put into words for the person who waits for the answer.

The server's own words are passed on, with anything that looks like a key taken out.
"""

import json
import re

import httpx2
import openai

from streamlit_assistant.errors import RunErrorCode, UpstreamError

_KEY = re.compile(r"\b(?:sk|key|gsk|xai)-[\w*.-]{4,}")
MOST_WORDS = 500  # characters of the server's own words; some answer a whole page
SHORTEST_KEY = 4  # shorter ones are placeholders and stand in ordinary words
_EVENT_STREAM = "text/event-stream"


def explain(error: Exception, base_url: str, api_key: str) -> UpstreamError:
    """Return what happened, as an `UpstreamError`; the table below decides."""
    if isinstance(error, UpstreamError):
        return error
    where = f"The model server at {_without_credentials(base_url)}"
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return UpstreamError(f"{where} did not answer in time.")
    if isinstance(error, openai.APIStatusError):
        return _explain_status(error, where, api_key)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return UpstreamError(f"{where} cannot be reached, or the connection broke.")
    if isinstance(error, json.JSONDecodeError | openai.APIResponseValidationError):
        return UpstreamError(f"{where} sent something that is not a valid answer.")
    return UpstreamError(f"{where} reported an error: {_words(error, api_key)}")


async def refuse_wrong_body(response: httpx2.Response) -> None:
    """Raise `UpstreamError` if a 200 is not the event stream that was asked for.

    The client library would read such a body as an empty answer, without a word.
    """
    kind = response.headers.get("content-type", _EVENT_STREAM).split(";")[0].strip()
    if kind == "text/html":
        raise UpstreamError(
            "OPENAI_BASE_URL leads to a web page, not to a model server: "
            "check the address; most end in /v1."
        )
    if kind == "application/json":
        raise UpstreamError("The model server does not stream: it answered with one JSON body.")


def _explain_status(error: openai.APIStatusError, where: str, api_key: str) -> UpstreamError:
    words = _words(error, api_key)
    request_id = f" (request {error.request_id})" if error.request_id else ""
    said = f"{words}{request_id}"
    match error.status_code:
        case 401 | 403:
            return UpstreamError(f"{where} refused the key in OPENAI_API_KEY: {said}")
        case 404:
            return UpstreamError(f"{where} does not know this model or address: {said}")
        case 402 | 429:
            return UpstreamError(
                f"{where} refuses more requests for now: {said}", RunErrorCode.RATE_LIMIT_EXCEEDED
            )
        case 400 | 413 | 422:
            return UpstreamError(
                f"{where} refused the request: {said}", RunErrorCode.INVALID_PROMPT
            )
        case status:
            return UpstreamError(f"{where} failed with status {status}: {said}")


def _words(error: Exception, api_key: str) -> str:
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    text = message if isinstance(message, str) and message else str(error)
    if isinstance(error, openai.APIStatusError) and not isinstance(body, dict):
        html = "html" in error.response.headers.get("content-type", "")
        text = (
            "it answered with a web page." if html else (error.response.text or "without a word.")
        )
    if len(api_key) > SHORTEST_KEY:
        text = text.replace(api_key, "…")
    return _KEY.sub("…", text)[:MOST_WORDS]


def _without_credentials(base_url: str) -> str:
    url = httpx2.URL(base_url)
    return str(url.copy_with(username=None, password=None)).rstrip("/")
