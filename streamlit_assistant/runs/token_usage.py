"""The protocol's usage objects: how many tokens, of prompts and of answers."""

from streamlit_assistant.records import JSON


def usage(prompt_tokens: int, completion_tokens: int) -> JSON:
    """Return the protocol's usage object."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def added_usage(one: JSON | None, other: JSON | None) -> JSON | None:
    """Return the sum of what is known."""
    if one is None or other is None:
        return one or other
    return {name: one[name] + other[name] for name in one}


# A run or step that ended says how many, even if it was none.
NO_TOKENS = usage(0, 0)
