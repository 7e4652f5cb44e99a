"""What requests link to files: images in messages, attachments, resources of tools."""

from collections.abc import Callable, Sequence
from typing import Protocol

from streamlit_assistant.api.fields import ToolResources
from streamlit_assistant.api.vector_store_conversion import to_tool_resources
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.file_records import FilledVectorStore
from streamlit_assistant.records import JSON, Clock, Message
from streamlit_assistant.store import Store

Linked = tuple[JSON, list[FilledVectorStore]]


class Images(Protocol):
    """Knows which files are images."""

    async def is_image(self, owner: str, file_id: str) -> bool:
        """Return whether a model can be shown the file; raise `NotFound`."""
        ...


class FileLinks:
    """Checks links before what holds them is stored, and has new files indexed afterwards."""

    def __init__(
        self, store: Store, images: Images, index: Callable[[], None], clock: Clock
    ) -> None:
        """`index` wakes the indexer."""
        self._store = store
        self._images = images
        self._index = index
        self._clock = clock

    async def resources(
        self, owner: str, resources: ToolResources | None, *, expiring: bool = False
    ) -> Linked:
        """Return tool resources and the vector stores to be made; `expiring`: for a thread."""
        now = int(self._clock())
        return await to_tool_resources(self._store, owner, resources, now, expiring=expiring)

    async def check_images(self, owner: str, messages: Sequence[Message]) -> None:
        """Refuse messages that show files which are not there, or are no images."""
        for message in messages:
            for part in message.content:
                if part["type"] == "image_file":
                    await self._check_image(owner, part["image_file"]["file_id"])

    async def _check_image(self, owner: str, file_id: str) -> None:
        if not await self._images.is_image(owner, file_id):
            raise InvalidRequest(
                f"The file {file_id} cannot be shown to a model. Expected a PNG, JPEG, GIF or "
                "WebP image of at most 20 MB.",
                param="content",
                code="invalid_image",
            )

    def stored(
        self, messages: Sequence[Message] = (), stores: Sequence[FilledVectorStore] = ()
    ) -> None:
        """Have the files indexed that came with what was stored."""
        if any(made.files for made in stores) or any(m.attachments for m in messages):
            self._index()
