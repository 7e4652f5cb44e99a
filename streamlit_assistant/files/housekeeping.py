"""Housekeeping of the files: a pass every few minutes for as long as the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streamlit_assistant.files.library import FileLibrary

HOUSEKEEPING_SECONDS = 600

logger = logging.getLogger(__name__)


@asynccontextmanager
async def kept_house(
    library: FileLibrary, *, every_seconds: float = HOUSEKEEPING_SECONDS
) -> AsyncIterator[None]:
    """Keep house in the background until the block ends."""
    task = asyncio.create_task(_keep_house(library, every_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_house(library: FileLibrary, every_seconds: float) -> None:
    while True:
        try:
            await library.keep_house()
        except Exception:  # what one pass could not remove, the next one will
            logger.exception("a pass of housekeeping over the files failed")
        await asyncio.sleep(every_seconds)
