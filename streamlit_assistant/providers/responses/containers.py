"""Containers of OpenAI's and Azure's code interpreter, with files put into them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2

from streamlit_assistant.errors import Trouble, UpstreamError
from streamlit_assistant.providers.upstream_failure import FAILURES, Explainer

# Idle containers are thrown away after 20 minutes, the longest the server offers.
IDLE_MINUTES = 20
MOST_BYTES = 100 * 1024 * 1024  # of one file; it is held in memory while it is sent
SECONDS = 30.0
UPLOAD_SECONDS = 300.0


class Containers:
    """The containers of one model server; see `CodeHost`."""

    def __init__(self, client: httpx2.AsyncClient, explainer: Explainer, server: str) -> None:
        """`client` knows the address and the key."""
        self._client = client
        self._explainer = explainer
        self.server = server

    async def open_container(self) -> str:
        """Make a container and return its id."""
        expiry = {"anchor": "last_active_at", "minutes": IDLE_MINUTES}
        body = {"name": "streamlit-assistant", "expires_after": expiry}
        return await self._made("containers", SECONDS, json=body)

    async def has_container(self, container_id: str) -> bool:
        """Return whether a container is still there."""
        try:
            found = await self._asked("GET", _place(container_id), SECONDS)
        except UpstreamError as error:
            if error.trouble is Trouble.ELSEWHERE:
                return False
            raise
        return isinstance(found, dict) and found.get("status") != "expired"

    async def add_file(self, container_id: str, filename: str, pieces: AsyncIterator[bytes]) -> str:
        """Put a file into a container and return the id it has there."""
        data = bytearray()
        async for piece in pieces:
            data += piece
            if len(data) > MOST_BYTES:
                raise UpstreamError(
                    f"{filename} is too large for the code interpreter: it takes "
                    f"{MOST_BYTES // 1024 // 1024} MB."
                )
        sent = {"file": (filename, bytes(data))}
        return await self._made(f"{_place(container_id)}/files", UPLOAD_SECONDS, files=sent)

    async def _made(self, place: str, seconds: float, **content: Any) -> str:
        made = await self._asked("POST", place, seconds, **content)
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise UpstreamError("The model server gave the code interpreter no place to work.")
        return str(made["id"])

    async def _asked(self, method: str, place: str, seconds: float, **content: Any) -> Any:
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.request(method, place, **content)
                return await self._explainer.read_json(response)
        except FAILURES as error:
            raise self._explainer.failure(error) from error


def _place(container_id: str) -> str:
    return f"containers/{quote(container_id, safe='')}"
