"""Files that the model server's tools have made, read from there when they are wanted."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.base import ProducedFile
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer

logger = logging.getLogger(__name__)

_ENDINGS = {"jpeg": "jpg", "svg+xml": "svg"}
UNREADABLE = "The model server sent an image that cannot be read."


class UpstreamFiles:
    """Names files of one model server. The same file is the same object, however often named."""

    def __init__(
        self, client: httpx2.AsyncClient, explainer: Explainer, silence_seconds: float
    ) -> None:
        """`client` knows the address and the key."""
        self._client = client
        self._explainer = explainer
        self._silence_seconds = silence_seconds
        self._known: dict[str, ProducedFile] = {}

    def of_container(self, container_id: str, file_id: str, name: str) -> ProducedFile:
        """Return a file from where code was run."""
        place = f"containers/{quote(container_id, safe='')}/files/{quote(file_id, safe='')}"
        return self._at(f"{place}/content", name or file_id)

    def stored(self, file_id: str, name: str) -> ProducedFile:
        """Return one of the server's own files."""
        return self._at(f"files/{quote(file_id, safe='')}/content", name or file_id)

    def image(self, url: str) -> ProducedFile | None:
        """Return the image behind an address; None where that is not the server's to name."""
        head, comma, data = url.partition(",")
        if head.startswith("data:image/") and comma:
            kind = head.removeprefix("data:image/").split(";")[0]
            if url not in self._known and head.endswith(";base64"):
                self._known[url] = self.encoded(data, kind)
            return self._known.get(url)
        if self._is_ours(url):
            return self._at(url, "image.png")
        logger.info("an image is not fetched, because it is at another address")
        return None

    def encoded(self, data: str, kind: str) -> ProducedFile:
        """Return an image that came as base64."""

        async def read() -> AsyncIterator[bytes]:
            try:
                # In a thread: images are large.
                yield await asyncio.to_thread(base64.b64decode, data)
            except ValueError as error:
                raise UpstreamError(UNREADABLE) from error

        ending = _ENDINGS.get(kind, kind)
        return ProducedFile(f"image.{ending if ending.isalnum() else 'png'}", read)

    def _is_ours(self, url: str) -> bool:
        # The key goes with the request: to the model server itself, and to nobody else.
        try:
            there, here = httpx2.URL(url), self._client.base_url
        except httpx2.InvalidURL:
            return False
        return (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)

    def _at(self, address: str, name: str) -> ProducedFile:
        if address not in self._known:
            self._known[address] = ProducedFile(name, lambda: self._read(address))
        return self._known[address]

    async def _read(self, address: str) -> AsyncIterator[bytes]:
        try:
            async with asyncio.timeout(self._silence_seconds):
                request = self._client.build_request("GET", address)
                response = await self._client.send(request, stream=True)
            try:
                if not response.is_success:
                    await self._refuse(response)
                received = aiter(response.aiter_bytes())
                while (piece := await self._next(received)) is not None:
                    yield piece
            finally:
                await response.aclose()
        except FAILURES as error:
            raise self._explainer.failure(error) from error

    async def _next(self, received: AsyncIterator[bytes]) -> bytes | None:
        async with asyncio.timeout(self._silence_seconds):
            return await anext(received, None)

    async def _refuse(self, response: httpx2.Response) -> Any:
        async with asyncio.timeout(self._silence_seconds):
            return await self._explainer.read_json(response)
