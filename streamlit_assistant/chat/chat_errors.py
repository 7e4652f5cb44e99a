"""Sync column: ChatError, and the one border where the SDK's errors become it.

OpenAIError
├── APIConnectionError (and timeouts)   -> unreachable
├── APIStatusError        401, 403      -> unauthorized
│                         404           -> not_found
│                         408           -> unreachable
│                         409           -> busy
│                         413           -> too_long
│                         429           -> rate_limited
│                         5xx           -> server
│                         400           -> busy, too_long or rejected, by its words
│                         other         -> rejected
└── anything else                       -> server
httpx2.HTTPError, while the SDK reads a refusal -> unreachable
"""

import re
from typing import Literal

import httpx2
import openai

from streamlit_assistant.chat.pause_headers import retry_after

ErrorKind = Literal[
    "unreachable",
    "unauthorized",
    "not_found",
    "too_long",
    "busy",
    "rate_limited",
    "rejected",
    "server",
]


class ChatError(Exception):
    """The API could not be reached or refused; `detail` holds its own words, without secrets."""

    def __init__(
        self,
        kind: ErrorKind,
        detail: str,
        request_id: str | None = None,
        *,
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.request_id = request_id
        # Whether the same request may well succeed a little later, and in how many seconds.
        self.transient = transient
        self.retry_after = retry_after


_KIND_OF_STATUS: dict[int, ErrorKind] = {
    401: "unauthorized",
    403: "unauthorized",
    404: "not_found",
    408: "unreachable",
    409: "busy",
    413: "too_long",
    429: "rate_limited",
}
_TRANSIENT: frozenset[ErrorKind] = frozenset({"unreachable", "rate_limited", "server"})
# The API has no code for a locked thread, so its sentence is all there is to go by.
_THREAD_IS_LOCKED = re.compile(r"while a run \S+ is active|already has an active run")
# An exhausted budget also answers 429, but no amount of waiting refills it.
_BUDGET_IS_SPENT = re.compile(
    r"insufficient_quota|credit_balance_exhausted|_(spend|usage)_limit_exceeded"
)
_LOOKS_LIKE_A_KEY = re.compile(r"\bsk-[\w*-]+")
_SHORTEST_SECRET = 8  # below this the "key" is a placeholder like "none", found in honest words too
_LONGEST_DETAIL = 500  # characters: a proxy's whole error page helps nobody


def translate(
    error: openai.OpenAIError | httpx2.HTTPError, *, secret: str, now: float
) -> ChatError:
    """Say what the SDK raised as a ChatError in which `secret` cannot be found."""
    if isinstance(error, openai.APIStatusError):
        return _refusal(error, secret, now)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        # The SDK's own words are "Connection error."; what went wrong is in the cause.
        detail = " ".join(filter(None, (str(error), str(error.__cause__ or ""))))
        return ChatError("unreachable", _presentable(detail, secret), transient=True)
    return ChatError("server", _presentable(str(error), secret))


def _refusal(error: openai.APIStatusError, secret: str, now: float) -> ChatError:
    kind = _kind(error)
    headers = error.response.headers
    spent = _BUDGET_IS_SPENT.search(f"{error.type} {error.code}") is not None
    verdict = headers.get("x-should-retry")
    transient = verdict == "true" or (verdict != "false" and kind in _TRANSIENT and not spent)
    return ChatError(
        kind,
        _presentable(_own_words(error), secret),
        error.request_id,
        transient=transient,
        retry_after=retry_after(headers, now) if transient else None,
    )


def _kind(error: openai.APIStatusError) -> ErrorKind:
    status = error.status_code
    if status == 400 and _THREAD_IS_LOCKED.search(_own_words(error)):
        return "busy"
    if status == 400 and error.code == "string_above_max_length":
        return "too_long"
    return _KIND_OF_STATUS.get(status, "server" if status >= 500 else "rejected")


def _own_words(error: openai.APIStatusError) -> str:
    words = error.body.get("message") if isinstance(error.body, dict) else error.body
    # What answers in the server's place, a proxy say, sends a page of HTML.
    if isinstance(words, str) and words and not words.lstrip().startswith("<"):
        return words
    return f"HTTP {error.status_code}"


def _presentable(words: str, secret: str) -> str:
    if len(secret) >= _SHORTEST_SECRET:
        words = words.replace(secret, "…")
    return _LOOKS_LIKE_A_KEY.sub("…", words)[:_LONGEST_DETAIL]
