"""What the error of a model server means: which words, and what may help.

Servers agree on little: the code may be a number or a word, stand in `code` or in `type`, or be
missing, and the same error may come as an HTTP status or in the middle of a stream.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamlit_assistant.errors import RunErrorCode, Trouble
from streamlit_assistant.providers.refused_parameters import (
    IMAGES,
    TOOLS,
    named_parameter,
    plainly_refused,
    says_refused,
)

OVERLOADED_SECONDS = 5.0  # what a server is given that is overloaded, or still loads its model

_QUOTA = re.compile(
    r"insufficient_(quota|balance|credits?|funds)|credit_balance_exhausted"
    r"|billing_(hard_limit_reached|not_active)|\w+_(spend|usage)_limit_exceeded"
)
_TOO_LONG_CODE = re.compile(r"context_length_exceeded|exceed_context_size_error")
_TOO_LONG = re.compile(
    r"maximum context length|exceeds? the (available |model's |maximum )*context"
    r"|context (length|window|size)[^.]{0,40}exceeded|prompt is too long|input is too long",
    re.IGNORECASE,
)
_NO_IMAGES = re.compile(
    r"image inputs? (is|are) not supported|images are not supported|vision is not supported|mmproj"
    r"|does(?: not|n't) support (image|vision)|not a multimodal model"
    r"|image_url is only supported by certain models|unknown variant `image_url`"
    r"|missing data required for image input|no endpoints found that support image",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model_not_found|deployment_?not_?found")
_FLAGGED = re.compile(r"\bflagged\b|moderation", re.IGNORECASE)
_REFUSED_CODES = {
    *("unsupported_parameter", "unsupported_value", "unknown_parameter"),
    *("unrecognized_parameter", "extra_forbidden"),
}

# What codes and types say where no status does; the first that fits.
_STATUS_OF: Mapping[str, int] = {
    r"rate_limit\w*|slow_down|too_many_requests|requests|tokens": 429,
    r"server_is_overloaded|\w*overloaded\w*|service_unavailable\w*": 503,
    r"invalid_api_key|authentication_error|unauthorized": 401,
    r"permission_(error|denied)|forbidden": 403,
    r"model_not_found|not_found(_error)?": 404,
    r"payment_required": 402,
    r"vector_store_timeout": 500,
    r"invalid_\w+|\w*image\w*|\w+_policy(_violation)?|data_residency_mismatch|bad_?request\w*": 400,
    r"content_filter|string_above_max_length|missing_required_parameter": 400,
}


@dataclass(frozen=True)
class Complaint:
    """An error as a server told it. `code` and `type` are lower-case words, or empty."""

    status: int
    words: str
    code: str = ""
    type: str = ""
    parameter: str | None = None

    def is_called(self, pattern: re.Pattern[str]) -> bool:
        """Return whether its code or type is one of these."""
        return any(pattern.fullmatch(name) for name in (self.code, self.type))


@dataclass(frozen=True)
class Diagnosis:
    """What a complaint means. `phrase` goes between the server's name and its own words."""

    phrase: str
    trouble: Trouble
    code: RunErrorCode = RunErrorCode.SERVER_ERROR
    parameter: str | None = None
    retry_after: float | None = None


USED_UP = Diagnosis(
    "says that its budget is used up. Asking again does not help until whoever owns the key "
    "adds credit or raises the limit",
    Trouble.ELSEWHERE,
    RunErrorCode.RATE_LIMIT_EXCEEDED,
)
TOO_LONG = Diagnosis(
    "says that the conversation is too long for this model",
    Trouble.REQUEST,
    RunErrorCode.INVALID_PROMPT,
)
SEES_NOTHING = Diagnosis(
    "says that this model cannot see images",
    Trouble.ELSEWHERE,
    RunErrorCode.INVALID_PROMPT,
    parameter=IMAGES,
)
REFUSED = Diagnosis("refused the request", Trouble.REQUEST, RunErrorCode.INVALID_PROMPT)
BUSY = Diagnosis("refuses more requests for now", Trouble.PASSING, RunErrorCode.RATE_LIMIT_EXCEEDED)


def read_complaint(error: object, status: int | None = None) -> Complaint:
    """Read an error of whatever form; `status` None: it came in the middle of a stream."""
    if not isinstance(error, dict):
        words = error if isinstance(error, str) else json.dumps(error)
        return Complaint(status or 500, words.strip() or "without a word.")
    code, kind = _word(error.get("code")), _word(error.get("type"))
    parameter = error.get("param")
    return Complaint(
        status or _status(code, kind),
        said(error),
        code,
        kind,
        parameter if isinstance(parameter, str) and parameter else None,
    )


def said(error: Mapping[str, Any]) -> str:
    """Return the server's own words."""
    message = error.get("message")
    if not isinstance(message, str) or not message:
        return json.dumps(error)
    metadata = error.get("metadata")  # OpenRouter's: what the server behind it has said
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return f"{message} {raw}" if isinstance(raw, str) else message


def diagnose(complaint: Complaint, key: str) -> Diagnosis:
    """Return what a complaint means; `key` is what the owner calls the key that was sent."""
    known = _known(complaint)
    if known is not None:
        return known
    parameter = _refused_parameter(complaint)
    if parameter is not None:
        phrase = REFUSED.phrase
        if parameter == TOOLS:
            phrase = "says that this model cannot call functions"
        return Diagnosis(phrase, Trouble.PARAMETER, RunErrorCode.INVALID_PROMPT, parameter)
    return _by_status(complaint, key)


def _known(complaint: Complaint) -> Diagnosis | None:
    if complaint.status == 402 or complaint.is_called(_QUOTA):
        return USED_UP
    if complaint.is_called(_TOO_LONG_CODE) or _TOO_LONG.search(complaint.words):
        return TOO_LONG
    if complaint.status != 429 and _NO_IMAGES.search(complaint.words):
        return SEES_NOTHING
    if complaint.status == 403 and _FLAGGED.search(complaint.words):
        return REFUSED
    return None


def _refused_parameter(complaint: Complaint) -> str | None:
    named, words = complaint.parameter, complaint.words
    if (plain := plainly_refused(words)) is not None:
        return plain
    if {complaint.code, complaint.type} & _REFUSED_CODES:
        return named or named_parameter(words)
    if complaint.status not in (400, 422):
        return None
    return named if named is not None and says_refused(words) else named_parameter(words)


def _by_status(complaint: Complaint, key: str) -> Diagnosis:
    if complaint.is_called(_NO_MODEL):
        return _unknown()
    match complaint.status:
        case 401 | 403:
            return Diagnosis(f"refused the key in {key}", Trouble.ELSEWHERE)
        case 404 | 405 | 410:
            return _unknown()
        case 408 | 409 | 425:
            return Diagnosis(f"failed with status {complaint.status}", Trouble.PASSING)
        case 429:
            return BUSY
        case status if 400 <= status < 500:
            return REFUSED
        case status:
            seconds = OVERLOADED_SECONDS if status in (503, 529) else None
            phrase = f"failed with status {status}"
            return Diagnosis(phrase, Trouble.PASSING, retry_after=seconds)


def _unknown() -> Diagnosis:
    return Diagnosis("does not know this model or address", Trouble.ELSEWHERE)


def _status(code: str, kind: str) -> int:
    if re.fullmatch(r"[45]\d\d", code):
        return int(code)
    for name in filter(None, (code, kind)):
        for words, status in _STATUS_OF.items():
            if re.fullmatch(words, name):
                return status
    return 500


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, str | int) else ""
