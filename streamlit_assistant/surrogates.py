"""Halves of characters: what comes from whoever cuts a text by UTF-16 units.

A half cannot be encoded, so it can be neither stored nor sent: it is put together with the other
half, or replaced.
"""


def mended(half: str, text: str) -> tuple[str, str]:
    """Return what can be said now, and the half that waits for the next piece."""
    text = half + text
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return whole(text.removesuffix(half)), half


def whole(text: str) -> str:
    """Return the text with its halves joined, and lonely ones replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
