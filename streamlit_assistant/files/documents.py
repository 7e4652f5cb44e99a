"""Everything that works with files, put together: what is opened here is closed here."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from streamlit_assistant.files.blobs import Blobs
from streamlit_assistant.files.extractor import Extractor
from streamlit_assistant.files.folder_blobs import FolderBlobs
from streamlit_assistant.files.housekeeping import kept_house
from streamlit_assistant.files.images import LibraryImages
from streamlit_assistant.files.indexer import Indexer
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.files.meaning import EmbedderSource
from streamlit_assistant.files.search import FileSearch
from streamlit_assistant.files.shared_blobs import SharedBlobs
from streamlit_assistant.records import Clock
from streamlit_assistant.store import Store


class Documents:
    """The files of a site, and the search in them. `open` before use, then `working`."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        source: EmbedderSource,
        clock: Clock,
        name: Callable[[], str],
    ) -> None:
        """`folder` is this machine's for bytes; `source` knows who makes vectors of texts.

        `name` tells under which name this process takes files to index.
        """
        self._blobs = blobs_of(folder, store)
        self._extractor = Extractor()
        self.library = FileLibrary(store, self._blobs, clock)
        self.images = LibraryImages(self.library)
        self.search = FileSearch(store, source)
        self.indexer = Indexer(store, self.library, self._extractor, self.search, name=name)

    async def open(self) -> None:
        """Make the folder ready. The store must be open."""
        await self._blobs.open()

    @asynccontextmanager
    async def working(self, *, indexing: bool = True) -> AsyncIterator[None]:
        """Keep house in the background until the block ends, and index unless others do."""
        async with kept_house(self.library):
            if indexing:
                await self.indexer.start()
            try:
                yield
            finally:
                await self.indexer.stop()
                await self._extractor.close()


def blobs_of(folder: Path, store: Store) -> Blobs:
    """Return the blobs whose rows are in the store; `folder` is this machine's."""
    if store.is_shared:
        # Beside the blobs of a site on SQLite, which are nobody's copies: a cache forgets.
        return SharedBlobs(folder / "cache", store.files, store.blob_bytes)
    return FolderBlobs(folder, store.files)
