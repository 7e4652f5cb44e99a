"""The protocol's usage objects: how many tokens, of prompts and of answers.

Beside the three counts every client knows stands what only some servers tell: which tokens of the
prompt were cached and which of the answer were thoughts, and whether the counts are estimates.
"""

from streamlit_assistant.providers.base import Usage
from streamlit_assistant.records import JSON

ESTIMATED = "estimated"  # ours: nobody counted, so these figures are about right only
_DETAILS = (
    ("prompt_token_details", "cached_tokens"),
    ("completion_tokens_details", "reasoning_tokens"),
)


def usage(prompt_tokens: int, completion_tokens: int) -> JSON:
    """Return the protocol's usage object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def counted(told: Usage) -> JSON:
    """Return the usage object of what a server has told."""
    made = usage(told.prompt_tokens, told.completion_tokens)
    for (group, name), count in zip(
        _DETAILS, (told.cached_tokens, told.reasoning_tokens), strict=True
    ):
        if count:
            made[group] = {name: count}
    return made


def estimated_usage(prompt_tokens: int, completion_tokens: int) -> JSON:
    """Return the usage object of a request whose server does not count."""
    return usage(prompt_tokens, completion_tokens) | {ESTIMATED: True}


def added_usage(one: JSON | None, other: JSON | None) -> JSON | None:
    """Return the sum of what is known."""
    if one is None or other is None:
        return one or other
    total = usage(
        one["prompt_tokens"] + other["prompt_tokens"],
        one["completion_tokens"] + other["completion_tokens"],
    )
    for group, name in _DETAILS:
        if count := _detail(one, group, name) + _detail(other, group, name):
            total[group] = {name: count}
    if one.get(ESTIMATED) or other.get(ESTIMATED):
        total[ESTIMATED] = True
    return total


def _detail(given: JSON, group: str, name: str) -> int:
    return int(given.get(group, {}).get(name, 0))


# A run or step that ended says how many, even if it was none.
NO_TOKENS = usage(0, 0)
