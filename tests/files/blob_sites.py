"""The bytes of a site as its processes see them, and as they lie in the folder or the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from streamlit_assistant.file_records import File
from streamlit_assistant.files.blobs import Blobs, Draft
from streamlit_assistant.files.documents import blobs_of
from streamlit_assistant.files.library import FileLibrary
from streamlit_assistant.records import Clock
from streamlit_assistant.store import Store
from streamlit_assistant.store.file_tables import blobs
from tests.factories import OWNER
from tests.file_factories import make_file

MEGABYTE = 1024 * 1024
LONGEST_WAIT = 20.0  # for what must come; how long it takes is no matter


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    """Pieces as a request brings them."""
    for piece in pieces:
        yield piece


async def content(some: Blobs, sha256: str) -> bytes:
    """All bytes of a blob."""
    return b"".join([piece async for piece in some.read(sha256)])


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(LONGEST_WAIT):
        while not holds():  # noqa: ASYNC110  what is waited for sets no event
            await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Process:
    """One process: its store, and the folder of the machine that it runs on."""

    store: Store
    folder: Path
    blobs: Blobs
    library: FileLibrary

    @classmethod
    async def begin(cls, store: Store, folder: Path, clock: Clock) -> "Process":
        """Open what a server opens."""
        opened = blobs_of(folder, store)
        await opened.open()
        return cls(store, folder, opened, FileLibrary(store, opened, clock))

    async def receive(self, *pieces: bytes, most_bytes: int = 100 * MEGABYTE) -> Draft:
        """A draft of these pieces."""
        return await self.blobs.receive(stream(*pieces), most_bytes)

    async def keep(self, draft: Draft) -> File:
        """A file of a draft."""
        file = make_file(sha256=draft.sha256, bytes=draft.bytes)
        async with draft.kept() as blob:
            return await self.store.files.add(file, blob)

    async def add(self, *pieces: bytes) -> File:
        """A file of these pieces."""
        return await self.keep(await self.receive(*pieces))

    async def library_add(self, *pieces: bytes) -> File:
        """A file of these pieces, as its owner adds it."""
        return await self.library.add(OWNER, "a.txt", "assistants", stream(*pieces))

    async def kept(self) -> list[str]:
        """The hashes of all bytes that are kept, each as often as it is."""
        if not self.store.is_shared:
            return [path.name for path in self.folder.glob("blobs/*/*")]
        async with self.store._database.read() as connection:
            names = select(blobs.c.sha256).where(blobs.c.sha256.is_not(None))
            return [str(name) for name in await connection.scalars(names)]

    async def drafts(self) -> int:
        """How many drafts there are."""
        if not self.store.is_shared:
            return len(list(self.folder.glob("incoming/*")))
        async with self.store._database.read() as connection:
            unnamed = select(func.count()).where(blobs.c.sha256.is_(None))
            return int((await connection.execute(unnamed)).scalar_one())

    @property
    def cached(self) -> list[str]:
        """The hashes of what the machine has a copy of."""
        return sorted(path.name for path in self.folder.glob("cache/blobs/*/*"))

    async def delete(self, file: File) -> None:
        """Delete a file as its owner does."""
        await self.library.delete(OWNER, file.id)
