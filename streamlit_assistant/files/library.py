"""The library: files and uploads, their rows and their bytes kept in step."""

import errno
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from streamlit_assistant.errors import AssistantError, InvalidRequest, NotFound, ServerFault
from streamlit_assistant.file_records import File, Upload, UploadPart
from streamlit_assistant.files.blobs import Blobs, Draft, TooLarge
from streamlit_assistant.files.filenames import clean_name
from streamlit_assistant.records import Clock, Page, PageQuery, new_id
from streamlit_assistant.store import Store
from streamlit_assistant.untorn import in_thread, untorn

MEGABYTE = 1024 * 1024
MOST_FILE_BYTES = 512 * MEGABYTE  # sent at once
MOST_PART_BYTES = 64 * MEGABYTE
MOST_UPLOAD_BYTES = 8 * 1024 * MEGABYTE
UPLOAD_SECONDS = 3600
BATCH_SECONDS = 30 * 24 * 3600  # how long a file for the batch API is kept if nothing is said

logger = logging.getLogger(__name__)


class FileLibrary:
    """Every file of every owner. What belongs to another owner, or has expired, is unknown."""

    def __init__(self, store: Store, blobs: Blobs, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock

    async def receive(
        self, pieces: AsyncIterator[bytes], most_bytes: int = MOST_FILE_BYTES, param: str = "file"
    ) -> Draft:
        """Store a stream; the caller keeps the draft or discards it."""
        try:
            return await self._blobs.receive(pieces, most_bytes)
        except TooLarge:
            raise InvalidRequest(
                f"The {param} is too large: it can have at most {most_bytes // MEGABYTE} MB.",
                param=param,
                code="file_too_large",
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            logger.exception("no room for a file")
            raise ServerFault("The server has no room left for this file.") from error

    async def add(
        self,
        owner: str,
        filename: str,
        purpose: str,
        pieces: AsyncIterator[bytes],
        *,
        expires_after: int | None = None,
    ) -> File:
        """Store a new file. `expires_after` is in seconds; None keeps it until it is deleted."""
        draft = await self.receive(pieces)
        return await self.keep(owner, filename, purpose, draft, expires_after=expires_after)

    async def keep(
        self,
        owner: str,
        filename: str,
        purpose: str,
        draft: Draft,
        *,
        expires_after: int | None = None,
    ) -> File:
        """Make a file of what was received."""
        file = self._file(owner, filename, purpose, draft, expires_after)
        try:
            async with draft.kept() as blob:
                return await untorn(self._store.files.add(file, blob))
        finally:
            await draft.discard()

    async def get(self, owner: str, file_id: str) -> File:
        """Return the file, or raise `NotFound`."""
        return await self._store.files.get(owner, file_id, self._clock())

    async def page(self, owner: str, query: PageQuery, purpose: str | None = None) -> Page[File]:
        """Return a page of the owner's files."""
        return await self._store.files.page(owner, query, self._clock(), purpose)

    async def delete(self, owner: str, file_id: str) -> None:
        """Remove the file from everywhere, and its bytes if they are no other file's too."""
        await self._delete(await self.get(owner, file_id))

    @asynccontextmanager
    async def located(self, file: File) -> AsyncIterator[Path]:
        """Have the file's bytes on this machine's disk for as long as the block lasts.

        Raises `NotFound` if it is deleted before the block has opened them.
        """
        try:
            async with self._blobs.located(file.sha256) as path:
                yield path
        except FileNotFoundError:
            await self.get(file.owner, file.id)
            raise

    async def read(self, file: File) -> AsyncIterator[bytes]:
        """Return the file's bytes in pieces, all of them even if it is deleted from now on."""
        pieces = self._blobs.read(file.sha256)
        try:
            first = await anext(pieces, b"")
        except FileNotFoundError:
            await self.get(file.owner, file.id)  # says so if it was deleted meanwhile
            raise
        return _resumed(first, pieces)

    async def create_upload(
        self,
        owner: str,
        filename: str,
        purpose: str,
        size: int,
        mime_type: str,
        *,
        expires_after: int | None = None,
    ) -> Upload:
        """Begin a file of `size` bytes that comes in parts within the hour."""
        now = int(self._clock())
        upload = Upload(
            id=new_id("upload"),
            owner=owner,
            created_at=now,
            expires_at=now + UPLOAD_SECONDS,
            filename=clean_name(filename),
            purpose=purpose,
            bytes=size,
            mime_type=mime_type,
            file_expires_after=expires_after,
        )
        return await self._store.uploads.add(upload)

    async def upload(self, owner: str, upload_id: str) -> tuple[Upload, File | None]:
        """Return an upload, whatever has become of it, and the file if that is what it became."""
        found = await self._store.uploads.get(owner, upload_id, self._clock())
        if found.file_id is None:
            return found, None
        with suppress(NotFound):  # deleted since
            return found, await self.get(owner, found.file_id)
        return found, None

    async def pending_upload(self, owner: str, upload_id: str) -> Upload:
        """Return the upload if it still takes parts; refuse one that has ended."""
        return await self._store.uploads.pending(owner, upload_id, self._clock())

    async def add_part(self, owner: str, upload_id: str, draft: Draft) -> UploadPart:
        """Add what was received to the upload; parts may come at once, in any order."""
        now = self._clock()
        part = UploadPart(new_id("part"), upload_id, int(now), draft.bytes, draft.sha256)
        try:
            async with draft.kept() as blob:
                adding = self._store.uploads.add_part(owner, part, now, MOST_UPLOAD_BYTES, blob)
                await untorn(adding)
        except AssistantError:
            await self._blobs.forget([part.sha256])
            raise
        finally:
            await draft.discard()
        return part

    async def complete(
        self, owner: str, upload_id: str, part_ids: Sequence[str], md5: str | None = None
    ) -> tuple[Upload, File]:
        """Join the parts in the order given to the file that was announced."""
        upload = await self.pending_upload(owner, upload_id)
        parts = _chosen(upload, await self._store.uploads.parts(upload_id), part_ids)
        try:
            draft = await self._joined(parts, md5)
        except FileNotFoundError:
            await self.pending_upload(owner, upload_id)  # says so if it was cancelled meanwhile
            raise
        try:
            file = self._file(
                owner, upload.filename, upload.purpose, draft, upload.file_expires_after
            )
            async with draft.kept() as blob:
                completed, freed = await untorn(
                    self._store.uploads.complete(upload, file, self._clock(), blob)
                )
        finally:
            await draft.discard()
        await self._blobs.forget(freed)
        return completed, file

    async def cancel(self, owner: str, upload_id: str) -> Upload:
        """Take no more parts and forget those that came."""
        cancelled, freed = await self._store.uploads.cancel(owner, upload_id, self._clock())
        await self._blobs.forget(freed)
        return cancelled

    async def keep_house(self) -> None:
        """Remove what has expired, and bytes that a crash has left without a row."""
        for file in await self._store.files.expired(self._clock()):
            with suppress(NotFound):  # deleted this instant
                await self._delete(file)
        await self._store.uploads.expire(self._clock())
        await self._blobs.keep_house()

    def _file(
        self, owner: str, filename: str, purpose: str, draft: Draft, expires_after: int | None
    ) -> File:
        now = int(self._clock())
        seconds = BATCH_SECONDS if expires_after is None and purpose == "batch" else expires_after
        return File(
            id=new_id("file"),
            owner=owner,
            created_at=now,
            filename=clean_name(filename),
            purpose=purpose,
            bytes=draft.bytes,
            sha256=draft.sha256,
            expires_at=None if seconds is None else now + seconds,
        )

    async def _joined(self, parts: Sequence[UploadPart], md5: str | None) -> Draft:
        digest = hashlib.md5(usedforsecurity=False)

        async def pieces() -> AsyncIterator[bytes]:
            for part in parts:
                async for piece in self._blobs.read(part.sha256):
                    if md5 is not None:
                        await in_thread(digest.update, piece)
                    yield piece

        draft = await self.receive(pieces(), MOST_UPLOAD_BYTES)
        if md5 is None or digest.hexdigest() == md5.lower():
            return draft
        await draft.discard()
        raise InvalidRequest(
            f"The md5 checksum of the uploaded parts is {digest.hexdigest()}, not '{md5[:100]}'.",
            param="md5",
            code="invalid_value",
        )

    async def _delete(self, file: File) -> None:
        # Piece by piece: in one transaction a long document would hold up every other writer.
        await self._store.vector_store_files.remove_everywhere(file.id)
        await self._store.files.delete(file.owner, file.id)
        await self._blobs.forget([file.sha256])


async def _resumed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _chosen(
    upload: Upload, came: Sequence[UploadPart], part_ids: Sequence[str]
) -> list[UploadPart]:
    known = {part.id: part for part in came}
    for part_id in part_ids:
        if part_id not in known:
            raise _bad_parts(f"No such Part object in upload {upload.id}: {part_id[:100]}")
    if len(set(part_ids)) < len(part_ids):
        ((twice, _),) = Counter(part_ids).most_common(1)
        raise _bad_parts(f"Part {twice} is named more than once.")
    total = sum(known[part_id].bytes for part_id in part_ids)
    if total != upload.bytes:
        raise _bad_parts(
            f"The parts have {total} bytes together, but the upload was created for "
            f"{upload.bytes} bytes."
        )
    return [known[part_id] for part_id in part_ids]


def _bad_parts(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="part_ids", code="invalid_value")
