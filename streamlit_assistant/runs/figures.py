"""What one process tells of its work."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """What one process has done and has in hand."""

    ended: Mapping[str, int]  # runs, by the status in which they ended
    refused: int  # runs, because too many were waiting
    followers: int
    unstored_events: int  # that followers have seen
