"""The marker under which a passage is shown to the model, and by which the model cites it.

A passage found by a run's second search as its first result is `【1:0†report.pdf】`.
"""

import re

OPENS, CLOSES = "【", "】"
LONGEST_NAME = 200  # characters of a file's name
LONGEST_MARKER = LONGEST_NAME + 20
PATTERN = re.compile(rf"【(\d{{1,4}}:\d{{1,4}})†[^【】]{{0,{LONGEST_NAME}}}】")


def marker(search: int, result: int, filename: str) -> str:
    """Return the marker of a passage; both numbers count from 0."""
    name = re.sub(r"[【】†\s]+", " ", filename)[:LONGEST_NAME]
    return f"{OPENS}{search}:{result}†{name}{CLOSES}"
