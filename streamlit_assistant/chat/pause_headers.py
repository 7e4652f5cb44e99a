"""Sync column: the pauses a server asks for in its response headers, in seconds."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """How long a refusal asks to wait: `retry-after-ms`, else `Retry-After`, a number or a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _positive(milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and value is not None:
        seconds = _seconds_until(value, now)
    return _positive(seconds)


def poll_after(headers: Mapping[str, str]) -> float | None:
    """How long a run's answer asks to wait before the run is looked at again."""
    milliseconds = _number(headers.get("openai-poll-after-ms"))
    return None if milliseconds is None else _positive(milliseconds / 1000)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds_until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    # A date with the zone "-0000" comes back naive; HTTP dates are always GMT.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now


def _positive(seconds: float | None) -> float | None:
    # "Wait no time at all" must not become a busy loop: our own backoff decides then.
    return seconds if seconds is not None and seconds > 0 else None
