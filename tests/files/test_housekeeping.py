"""Housekeeping goes on for as long as the server runs, whatever fails."""

import asyncio
import logging
from pathlib import Path

import pytest

from streamlit_assistant.files.folder_blobs import FolderBlobs
from streamlit_assistant.files.housekeeping import kept_house
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.store import Store
from tests.conftest import FakeClock


async def test_a_pass_that_fails_is_logged_and_the_next_one_comes(
    store: Store, clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passes: asyncio.Queue[int] = asyncio.Queue()

    class Failing(FileLibrary):
        async def keep_house(self) -> None:
            passes.put_nowait(1)
            raise OSError("the disk is away")

    library = Failing(store, FolderBlobs(tmp_path / "files", store.files), clock)
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(5), kept_house(library, every_seconds=0):
            for _ in range(3):
                await passes.get()

    assert "the disk is away" in caplog.text
    ended = passes.qsize()
    await asyncio.sleep(0)
    assert passes.qsize() == ended, "it ends with the block"
