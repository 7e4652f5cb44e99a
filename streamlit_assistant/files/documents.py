"""Everything that works with files, put together: what is opened here is closed here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streamlit_assistant.files.blobs import BlobStore
from streamlit_assistant.files.extractor import Extractor
from streamlit_assistant.files.housekeeping import kept_house
from streamlit_assistant.files.images import LibraryImages
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.files.meaning import EmbedderSource
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.records import Clock
from streamlit_assistant.store import Store


class Documents:
    """The files of a site, and the search in them. `open` before use, then `working`."""

    def __init__(self, folder: Path, store: Store, source: EmbedderSource, clock: Clock) -> None:
        """`folder` holds the files' bytes; `source` knows who makes vectors of texts."""
        self._blobs = BlobStore(folder)
        self._extractor = Extractor()
        self.library = FileLibrary(store, self._blobs, clock)
        self.images = LibraryImages(self.library)
        self.search = FileSearch(store, source)
        self.indexer = Indexer(store, self.library, self._extractor, self.search)

    async def open(self) -> None:
        """Make the folder ready. The store must be open."""
        await self._blobs.open()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Index and keep house in the background until the block ends."""
        async with kept_house(self.library):
            await self.indexer.start()
            try:
                yield
            finally:
                await self.indexer.stop()
                await self._extractor.close()
