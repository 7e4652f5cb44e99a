"""How long a client that polls should wait before it asks again."""

from collections.abc import Mapping

POLL_HEADER = "openai-poll-after-ms"  # read by the poll helpers of OpenAI's clients
SHORTEST_MS, LONGEST_MS = 50, 1_000
LONGEST_HOLD_SECONDS = 5.0  # how long a poll may be held back until there is news
_YOUNG_SECONDS = 1.0
_SHARE = 0.1  # of the age: whoever polls learns of the end at most this much later


def is_poll_helper(headers: Mapping[str, str]) -> bool:
    """Whether a request is made by a poll helper of OpenAI's clients that waits as it is told."""
    return (
        "x-stainless-poll-helper" in headers and "x-stainless-custom-poll-interval" not in headers
    )


def poll_after_ms(age_seconds: float) -> int:
    """Return the milliseconds to wait: few while the work is young, then a tenth of its age."""
    if age_seconds < _YOUNG_SECONDS:
        return SHORTEST_MS
    return min(max(int(age_seconds * _SHARE * 1_000), SHORTEST_MS), LONGEST_MS)


def poll_headers(age_seconds: float, *, is_over: bool = False) -> dict[str, str]:
    """Return the header that says when to ask again; none where there is nothing to wait for."""
    return {} if is_over else {POLL_HEADER: str(poll_after_ms(age_seconds))}
