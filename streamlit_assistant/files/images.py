"""Uploaded images, in the form in which every model server takes them."""

import asyncio
import base64
from pathlib import Path

from streamlit_assistant.errors import NotFound
from streamlit_assistant.files.library import FileLibrary

MOST_IMAGE_BYTES = 20 * 1024 * 1024  # the hosted service's limit
HEAD_BYTES = 12


class LibraryImages:
    """Gives images of the library as addresses that hold their bytes."""

    def __init__(self, library: FileLibrary) -> None:
        self._library = library

    async def data_url(self, owner: str, file_id: str) -> str | None:
        """Return a `data:` address; None where the file is gone, or too large, or no image."""
        try:
            file = await self._library.get(owner, file_id)
            if file.bytes > MOST_IMAGE_BYTES:
                return None
            async with self._library.located(file) as path:
                return await asyncio.to_thread(_encode, path)
        except NotFound:
            return None

    async def is_image(self, owner: str, file_id: str) -> bool:
        """Return whether a file can be shown to a model; raise `NotFound`."""
        file = await self._library.get(owner, file_id)
        if file.bytes > MOST_IMAGE_BYTES:
            return False
        async with self._library.located(file) as path:
            return image_type(await asyncio.to_thread(_head, path)) is not None


def image_type(head: bytes) -> str | None:
    """Return the media type that the first bytes of a file show, if models take it."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def _encode(path: Path) -> str | None:
    data = path.read_bytes()
    kind = image_type(data[:HEAD_BYTES])
    return None if kind is None else f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
