"""The counts of tokens that come with a chat completion."""

from typing import Any, TypeGuard

from streamlit_assistant.providers.base import Usage
from streamlit_assistant.records import JSON

MOST_TOKENS = 2**53  # a count beyond it is not one


def usage_of(given: Any) -> Usage | None:
    """Return the counts if both are counts; half a truth would be taken for the whole."""
    if not isinstance(given, dict):
        return None
    prompt, completion = given.get("prompt_tokens"), given.get("completion_tokens")
    if not _is_count(prompt) or not _is_count(completion) or prompt + completion == 0:
        return None  # there is no request of no tokens: some servers fill the fields with zeros
    return Usage(
        prompt,
        completion,
        _detail(given, "prompt_tokens_details", "cached_tokens")
        or _count(given.get("prompt_cache_hit_tokens")),  # DeepSeek's name
        _detail(given, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(given: JSON, group: str, name: str) -> int:
    details = given.get(group)
    return _count(details.get(name)) if isinstance(details, dict) else 0


def _count(value: Any) -> int:
    return value if _is_count(value) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < MOST_TOKENS
