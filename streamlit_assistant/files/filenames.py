"""File names that strangers chose, made fit to be stored, shown and sent back."""

import re
import unicodedata

LONGEST_NAME = 255  # characters
LONGEST_SUFFIX = 20
NAMELESS = "upload"
# They turn the direction of what follows: `exe.txt` could be shown for a `txt.exe`.
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean_name(given: str) -> str:
    """Return a name without folders, control characters and excess length."""
    name = re.split(r"[/\\]", given)[-1]
    name = "".join(sign for sign in _TURNING.sub("", name) if _is_printable(sign)).strip()
    if name.strip(".") == "":
        return NAMELESS
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > LONGEST_SUFFIX:
        return name[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(suffix) - 1]}.{suffix}"


def _is_printable(sign: str) -> bool:
    # Control characters, halves of characters, separators of lines and paragraphs.
    return unicodedata.category(sign) not in {"Cc", "Cs", "Zl", "Zp"}
