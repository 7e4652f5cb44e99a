"""What this machine holds of blobs that lie elsewhere, so that they are fetched once."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from streamlit_assistant.files.blob_folder import BlobFolder
from streamlit_assistant.untorn import in_thread

MOST_BYTES = 5 * 1024**3
ROUNDS = 16  # how often it is trimmed while it is filled with as much as it may hold

Fetch = Callable[[str], AsyncIterator[bytes]]


class BlobCache:
    """A folder that processes of one machine share and may trim at any time. `open` before use.

    Who uses a blob has a name of its own for the file: whatever is removed meanwhile, or pushed out
    by others, stays on the disk for as long as it is used.
    """

    def __init__(self, folder: Path, fetch: Fetch, most_bytes: int = MOST_BYTES) -> None:
        """`fetch` yields the bytes from where they lie, or raises `FileNotFoundError`."""
        self._folder = BlobFolder(folder)
        self._fetch = fetch
        self._most_bytes = most_bytes
        self._came = 0  # bytes since it was trimmed
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self) -> None:
        """Make the folder; raise `StartError`."""
        await self._folder.open()

    @asynccontextmanager
    async def located(self, sha256: str) -> AsyncIterator[Path]:
        """Give a file that holds the bytes until the block ends; fetch them if need be."""
        name = self._folder.new_draft()
        try:
            if not await in_thread(self._folder.take, sha256, name):
                # Whoever wants the same at once waits for the one who fetches it.
                async with self._fetching.setdefault(sha256, asyncio.Lock()):
                    if not await in_thread(self._folder.take, sha256, name):
                        await self._fill(sha256, name)
            yield name
        finally:
            await in_thread(name.unlink, missing_ok=True)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces; all of them are here before the first."""
        with ExitStack() as opened:
            async with self.located(sha256) as name:
                pieces = await self._folder.read(name, opened)
            # An open file needs no name, and what is killed now leaves nothing behind.
            async for piece in pieces:
                yield piece

    async def remove(self, sha256: str) -> None:
        """Remove the bytes, if they are here."""
        await in_thread(self._folder.remove, sha256)

    async def names(self) -> list[str]:
        """Return the hashes of all that is here."""
        return await in_thread(self._folder.names)

    async def keep_house(self) -> None:
        """Remove what killed processes have left, and what is too much."""
        await in_thread(self._folder.remove_old_drafts)
        await self._trim()

    async def _fill(self, sha256: str, name: Path) -> None:
        found, size = await self._folder.write(name, self._fetch(sha256))
        if found != sha256:
            raise OSError(errno.EIO, "the bytes are not those that were stored", sha256)
        await in_thread(self._folder.share, name, sha256)
        self._came += size
        if self._came > self._most_bytes // ROUNDS:
            await self._trim()

    async def _trim(self) -> None:
        self._came = 0
        await in_thread(self._folder.trim, self._most_bytes)
