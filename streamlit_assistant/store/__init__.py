"""The store: every object of the protocol in one database. It knows records, nothing above."""

from pathlib import Path

from sqlalchemy import URL

from streamlit_assistant.records import Clock
from streamlit_assistant.store.api_keys import ApiKeys
from streamlit_assistant.store.assistants import Assistants
from streamlit_assistant.store.chunk_index import ChunkIndex
from streamlit_assistant.store.chunks import Chunks
from streamlit_assistant.store.engine import Database
from streamlit_assistant.store.events import Events
from streamlit_assistant.store.fence import Fence
from streamlit_assistant.store.file_batches import FileBatches
from streamlit_assistant.store.files import Files
from streamlit_assistant.store.index_queue import IndexQueue
from streamlit_assistant.store.messages import Messages
from streamlit_assistant.store.runs import Runs
from streamlit_assistant.store.steps import Steps
from streamlit_assistant.store.threads import Threads
from streamlit_assistant.store.uploads import Uploads
from streamlit_assistant.store.vector_store_files import VectorStoreFiles
from streamlit_assistant.store.vector_stores import VectorStores

__all__ = ["Fence", "Store", "sqlite_url"]


def sqlite_url(path: Path) -> URL:
    """Return the address of an SQLite file, whatever characters its path holds."""
    return URL.create("sqlite+aiosqlite", database=str(path))


class Store:
    """All nouns over one database. `open` before use, `close` at the end."""

    def __init__(self, url: str | URL, clock: Clock) -> None:
        """`url` is SQLAlchemy's, such as `sqlite+aiosqlite:////var/lib/site/assistant.db`."""
        self._database = Database(url)
        self.api_keys = ApiKeys(self._database, clock)
        self.assistants = Assistants(self._database)
        self.threads = Threads(self._database)
        self.messages = Messages(self._database)
        self.runs = Runs(self._database, clock)
        self.steps = Steps(self._database)
        self.events = Events(self._database, clock)
        self.files = Files(self._database)
        self.uploads = Uploads(self._database)
        self.vector_stores = VectorStores(self._database, clock)
        self.vector_store_files = VectorStoreFiles(self._database, clock)
        self.file_batches = FileBatches(self._database, clock)
        self.index_queue = IndexQueue(self._database, clock)
        self.chunks = Chunks(self._database)
        self.chunk_index = ChunkIndex(self._database)

    async def open(self) -> None:
        """Connect, and bring the schema up to this version."""
        await self._database.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()
