"""The stores that get copies, by names that say nothing of where they are."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamlit_assistant.errors import StartError
from streamlit_assistant.history.addresses import check_address
from streamlit_assistant.history.history_errors import HistoryError
from streamlit_assistant.setting_values import history_kind, history_place

PATIENCE = 3.0  # seconds that a log tries by itself, unless the address says otherwise
_HAS_PATIENCE = re.compile(r"[?&]patience=")


@dataclass(frozen=True)
class Target:
    """One of `HISTORY_URLS`. The name is the same whoever is signed in to it, in every process."""

    url: str = field(repr=False)
    name: str
    kind: str

    @classmethod
    def at(cls, url: str) -> "Target":
        """Return the target at an accepted address."""
        name = hashlib.sha256(history_place(url).encode()).hexdigest()
        return cls(_with_patience(url), name, history_kind(url))


def _with_patience(url: str) -> str:
    # Whoever delivers tries for ever: it should learn soon that a store is away, and say so.
    if _HAS_PATIENCE.search(url):
        return url
    return f"{url}{'&' if '?' in url else '?'}patience={PATIENCE:g}"


def mirror_targets(urls: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets; raise `StartError` for one that cannot be used. Connects to nothing."""
    for number, url in enumerate(urls, 1):
        try:
            check_address(url)
        except HistoryError as error:
            which = f"address {number}, {history_kind(url)}" if urls[1:] else history_kind(url)
            raise StartError(f"HISTORY_URLS ({which}): {error}") from error
    return tuple(Target.at(url) for url in urls)
