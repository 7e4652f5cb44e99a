"""What the headers of a failed answer say about asking again."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return for how many seconds the server asks to be left alone, if it says so.

    `now` is the time in Unix seconds: some name the moment instead.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after", "")
    seconds = _number(given)
    return _seconds_until(given, now) if seconds is None else seconds


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return whether the server says that asking again helps; None: it says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _seconds_until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # the latter of a year with twenty digits
        return None
    if moment.tzinfo is None:  # "-0000", which means the same in a header
        moment = moment.replace(tzinfo=UTC)
    return max(moment.timestamp() - now, 0.0)
