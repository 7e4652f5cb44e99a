"""Telling a model server that nobody wants its answer any more."""

import asyncio
from contextlib import suppress

from streamlit_assistant.errors import NotFound
from streamlit_assistant.records import JSON
from streamlit_assistant.runs.patience import PASSING
from streamlit_assistant.runs.rounds import Rounds
from streamlit_assistant.store import Store

CANCEL_SECONDS = 5.0


async def call_off(rounds: Rounds, begun: JSON | None) -> None:
    """End the answer with which the model server goes on, if there is one."""
    if begun is not None:
        with suppress(TimeoutError):  # it ends there by itself, just later
            async with asyncio.timeout(CANCEL_SECONDS):
                await rounds.cancel(begun)


async def call_off_if_deleted(rounds: Rounds, store: Store) -> None:
    """End it if its run was deleted: the run may as well have become another process's."""
    with suppress(*PASSING):
        try:
            await store.runs.get(rounds.run.thread_id, rounds.run.id)
        except NotFound:
            await call_off(rounds, rounds.run.begun)
