"""The store: every object of the protocol in one database. It knows records, nothing above."""

import importlib
from pathlib import Path

from sqlalchemy import URL, make_url

from streamlit_assistant.records import Clock
from streamlit_assistant.store.answer_cache import AnswerCache
from streamlit_assistant.store.api_keys import ApiKeys
from streamlit_assistant.store.assistants import Assistants
from streamlit_assistant.store.blob_bytes import BlobBytes
from streamlit_assistant.store.chunk_index import ChunkIndex
from streamlit_assistant.store.chunks import Chunks
from streamlit_assistant.store.database import Database
from streamlit_assistant.store.events import Events
from streamlit_assistant.store.executors import Executors
from streamlit_assistant.store.fence import Fence
from streamlit_assistant.store.file_batches import FileBatches
from streamlit_assistant.store.files import Files
from streamlit_assistant.store.idempotency_keys import IdempotencyKeys
from streamlit_assistant.store.index_queue import IndexQueue
from streamlit_assistant.store.messages import Messages
from streamlit_assistant.store.mirror_outbox import MirrorOutbox
from streamlit_assistant.store.mirrors import Mirrors
from streamlit_assistant.store.model_reports import ModelReports
from streamlit_assistant.store.postgres_chunk_index import PostgresChunkIndex
from streamlit_assistant.store.postgres_database import PostgresDatabase
from streamlit_assistant.store.run_queue import Limits, RunQueue
from streamlit_assistant.store.runs import Runs
from streamlit_assistant.store.signals import MESSAGES, Signals
from streamlit_assistant.store.sqlite_chunk_index import SqliteChunkIndex
from streamlit_assistant.store.sqlite_database import SqliteDatabase
from streamlit_assistant.store.sqlite_signals import SqliteSignals
from streamlit_assistant.store.steps import Steps
from streamlit_assistant.store.threads import Threads
from streamlit_assistant.store.uploads import Uploads
from streamlit_assistant.store.upstream_containers import UpstreamContainers
from streamlit_assistant.store.upstream_rates import UpstreamRates
from streamlit_assistant.store.vector_store_files import VectorStoreFiles
from streamlit_assistant.store.vector_stores import VectorStores

__all__ = ["Fence", "Limits", "Store", "site_url", "sqlite_url"]


def sqlite_url(path: Path) -> URL:
    """Return the address of an SQLite file, whatever characters its path holds."""
    return URL.create("sqlite+aiosqlite", database=str(path))


def site_url(url: str | None, file: Path) -> URL:
    """Return where a site keeps its data: a PostgreSQL database if `url` is one, else the file."""
    if url is not None and make_url(url).get_backend_name() == "postgresql":
        return make_url(url)
    return sqlite_url(file)


def _opened(url: str | URL, clock: Clock) -> tuple[Database, Signals]:
    if make_url(url).get_backend_name() == "postgresql":
        shared = PostgresDatabase(url)
        # Loaded here, where the driver is known to be installed.
        kind = importlib.import_module("streamlit_assistant.store.postgres_signals").PostgresSignals
        return shared, kind(shared.url)
    database = SqliteDatabase(url, clock)
    return database, SqliteSignals(database)


class Store:
    """All nouns over one database. `open` before use, `close` at the end."""

    def __init__(self, url: str | URL, clock: Clock) -> None:
        """`url` is SQLAlchemy's: `sqlite+aiosqlite:////var/lib/site/assistant.db`, `postgresql://…`.

        Raises `StartError` where the driver is missing.
        """
        self._database, self.signals = _opened(url, clock)
        self.executors = Executors(self._database)
        self.api_keys = ApiKeys(self._database, clock)
        self.assistants = Assistants(self._database)
        self.threads = Threads(self._database, clock, self._note_change)
        self.messages = Messages(self._database, clock, self._note_change)
        self.runs = Runs(self._database, clock, self._note_change)
        self.mirrors = Mirrors(self._database, clock)
        self.mirror_outbox = MirrorOutbox(self._database, clock)
        self.queue = RunQueue(self._database, clock)
        self.steps = Steps(self._database)
        self.events = Events(self._database, clock)
        self.files = Files(self._database)
        self.uploads = Uploads(self._database)
        self.blob_bytes = BlobBytes(self._database, clock)
        self.vector_stores = VectorStores(self._database, clock)
        self.vector_store_files = VectorStoreFiles(self._database, clock)
        self.file_batches = FileBatches(self._database, clock)
        self.idempotency_keys = IdempotencyKeys(self._database, clock)
        self.upstream_rates = UpstreamRates(self._database)
        self.upstream_containers = UpstreamContainers(self._database, clock)
        self.answer_cache = AnswerCache(self._database, clock)
        self.model_reports = ModelReports(self._database, clock)
        self.index_queue = IndexQueue(self._database, clock)
        index = PostgresChunkIndex if self._database.is_shared else SqliteChunkIndex
        self.chunk_index: ChunkIndex = index(self._database)
        self.chunks = Chunks(self._database, self.chunk_index)

    @property
    def is_shared(self) -> bool:
        """Whether other machines may use the same database."""
        return self._database.is_shared

    async def open(self) -> None:
        """Connect, and bring the schema up to this version."""
        await self._database.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()

    def _note_change(self) -> None:
        if self.mirrors.are_expected:
            self.signals.announce(MESSAGES)
