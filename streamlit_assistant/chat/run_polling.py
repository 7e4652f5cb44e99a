"""Sync column: polls a run until it ends, at the pace the server asks for or ever more slowly."""

from collections.abc import Callable, Generator
from typing import TypeVar

from streamlit_assistant.chat.assistants_client import PolledRun
from streamlit_assistant.chat.patience import Patience

S = TypeVar("S")


def poll_run(
    look: Callable[[], PolledRun], patience: Patience, sign: Callable[[], S]
) -> Generator[S, None, PolledRun]:
    """Return the run once it has ended, and yield a sign of life in every slice of waiting."""
    return (
        yield from patience.insist(
            look,
            sign=sign,
            final=lambda polled: not polled.state.active,
            pause_after=lambda polled: polled.poll_after,
        )
    )
