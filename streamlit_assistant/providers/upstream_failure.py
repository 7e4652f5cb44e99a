"""Failures of model servers, put into words for the person who waits for the answer.

The server's own words are passed on, with anything that looks like a key taken out.
"""

import asyncio
import json
import re
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx2

from streamlit_assistant.errors import Trouble, Unreachable, UpstreamError
from streamlit_assistant.event_frames import StreamBroken
from streamlit_assistant.providers.retry_hints import retry_after, should_retry
from streamlit_assistant.providers.upstream_trouble import (
    USED_UP,
    Diagnosis,
    diagnose,
    read_complaint,
)
from streamlit_assistant.records import Clock
from streamlit_assistant.surrogates import whole

# Of a key that is starred out the rest may still be somebody's last four letters.
_KEY = re.compile(r"\b(?:(?:sk|key|gsk|xai)-|gsk_|AIza)[\w*.-]{4,}|[\w-]{0,40}\*{3,}[\w*-]*")
MOST_WORDS = 500  # characters of the server's own words; some answer a whole page
COMPLAINT_SECONDS = 3.0  # for a refusal's own words: its status says enough without them
SHORTEST_KEY = 4  # shorter ones are placeholders and stand in ordinary words
EVENT_STREAM = "text/event-stream"
WEB_PAGE = "{} leads to a web page, not to a model server: check the address; most end in /v1."
KEY_SETTING, ADDRESS_SETTING = "OPENAI_API_KEY", "OPENAI_BASE_URL"

# What the client raises, and a broken frame; everything else is a defect of ours.
FAILURES = (
    *(httpx2.HTTPError, httpx2.InvalidURL, TimeoutError),
    *(ValueError, RecursionError, StreamBroken),  # of what is no JSON, or too deep
)


class Explainer:
    """Explains the failures of one model server, and says of each what may help."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        setting: str | None = None,
        clock: Clock = time.time,
    ) -> None:
        """`setting` is where address and key stand, if not in the usual two; `clock` is Unix's."""
        url = httpx2.URL(base_url).copy_with(username=None, password=None)
        self._where = f"The model server at {str(url).rstrip('/')}"
        self._api_key = api_key or ""
        self._key_setting = setting or KEY_SETTING
        self._address_setting = setting or ADDRESS_SETTING
        self._clock = clock

    def failure(self, error: Exception) -> UpstreamError:
        """Explain one of `FAILURES`."""
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return Unreachable(f"{self._where} cannot be reached.")
        if isinstance(error, TimeoutError | httpx2.TimeoutException):
            return UpstreamError(f"{self._where} did not answer in time.")
        if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL):
            return UpstreamError(f"{self._where} cannot be reached: the connection broke.")
        return UpstreamError(f"{self._where} sent something that is not a valid answer.")

    def error_frame(self, error: object) -> UpstreamError:
        """Explain an error that came in mid-stream, where a piece of the answer should be."""
        complaint = read_complaint(error)
        found = diagnose(complaint, self._key_setting)
        if complaint.status >= 500 and found.trouble is Trouble.PASSING:
            found = replace(found, phrase="reported an error")
        return self._explained(found, complaint.words)

    async def read_json(self, response: httpx2.Response) -> Any:
        """Return the body of an answer that is not streamed; raise `UpstreamError`."""
        kind = _kind(response)
        if not response.is_success:
            raise self._status(response, await _beginning(response), kind)
        if kind == "text/html":
            raise self._web_page()
        return json.loads(await response.aread())

    async def refuse_unless_streaming(self, response: httpx2.Response) -> None:
        """Raise `UpstreamError` unless the response is the event stream that was asked for."""
        kind = _kind(response)
        if not response.is_success:
            raise self._status(response, await _beginning(response), kind)
        if kind == "text/html":
            raise self._web_page()
        if kind == "application/json":
            body = _parsed(await _beginning(response))
            if isinstance(body, dict) and body.get("error"):
                raise self.error_frame(body["error"])
            raise UpstreamError("The model server does not stream: it answered with one JSON body.")

    def _status(self, response: httpx2.Response, body: str, kind: str) -> UpstreamError:
        error = "it answered with a web page." if "html" in kind else _error(body)
        complaint = read_complaint(error, response.status_code)
        found = diagnose(complaint, self._key_setting)
        after = retry_after(response.headers, self._clock())
        if after is not None:
            found = replace(found, retry_after=after)
        found = _as_told(found, should_retry(response.headers))
        request_id = response.headers.get("x-request-id")
        return self._explained(found, complaint.words, request_id)

    def _explained(
        self, found: Diagnosis, words: str, request_id: str | None = None
    ) -> UpstreamError:
        shown = self._clean(words) + (f" (request {request_id})" if request_id else "")
        return UpstreamError(
            f"{self._where} {found.phrase}: {shown}",
            found.code,
            trouble=found.trouble,
            retry_after=found.retry_after,
            parameter=found.parameter,
        )

    def _web_page(self) -> UpstreamError:
        return UpstreamError(WEB_PAGE.format(self._address_setting), trouble=Trouble.ELSEWHERE)

    def _clean(self, words: str) -> str:
        words = words[: 8 * MOST_WORDS]  # looking for keys in a whole page takes its time
        if len(self._api_key) > SHORTEST_KEY:
            words = words.replace(self._api_key, "…")
        return whole(_KEY.sub("…", words)[:MOST_WORDS])


def _as_told(found: Diagnosis, again: bool | None) -> Diagnosis:
    """Believe a server that says whether asking again helps, but for an empty purse."""
    if again is True and found.trouble is not Trouble.PARAMETER and found.code != USED_UP.code:
        return replace(found, trouble=Trouble.PASSING)
    if again is False and found.trouble is Trouble.PASSING:
        return replace(found, trouble=Trouble.ELSEWHERE)
    return found


def _kind(response: httpx2.Response) -> str:
    kind: str = response.headers.get("content-type", EVENT_STREAM)
    return kind.split(";")[0].strip()


async def _beginning(response: httpx2.Response) -> str:
    body = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(COMPLAINT_SECONDS):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > 100 * MOST_WORDS:
                    break
    return body.decode(errors="replace")


def _error(body: str) -> object:
    parsed = _parsed(body)
    if isinstance(parsed, list) and parsed:  # Gemini
        parsed = parsed[0]
    if isinstance(parsed, dict):
        # OpenAI nests the error; some servers answer it flat, or as FastAPI's `detail`.
        return parsed.get("error") or parsed.get("detail") or parsed
    return body


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
