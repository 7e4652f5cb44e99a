"""Files attached to a message for no tool in particular: the model is to read them itself."""

import base64
import mimetypes

from streamlit_assistant.errors import AssistantError
from streamlit_assistant.records import JSON, Message
from streamlit_assistant.tools.toolbox import FileKeeper

MOST_BYTES = 20 * 1024 * 1024  # of all documents in one request; OpenAI takes 50 MB
UNREAD = "[Attached file: {}. This model cannot read it.]"
TOO_LARGE = "[Attached file: {}. It is too large to be read at once.]"
GONE = "[An attached file that has been deleted]"


class Documents:
    """Puts attached documents into one request, as long as there is room."""

    def __init__(self, files: FileKeeper, is_read: bool) -> None:
        """`is_read`: the model is shown documents as they are."""
        self._files = files
        self._is_read = is_read
        self._left = MOST_BYTES

    async def parts(self, message: Message, owner: str) -> list[JSON]:
        """Return the content parts for what is attached to a message."""
        plain = [each["file_id"] for each in message.attachments if not each.get("tools")]
        return [await self._part(file_id, owner) for file_id in plain]

    async def _part(self, file_id: str, owner: str) -> JSON:
        try:
            file = await self._files.get(owner, file_id)
            if not self._is_read or file.bytes > self._left:
                told = TOO_LARGE if self._is_read else UNREAD
                return _text(told.format(file.filename))
            self._left -= file.bytes
            data = b"".join([piece async for piece in await self._files.read(file)])
        except AssistantError:
            return _text(GONE)
        kind = mimetypes.guess_type(file.filename)[0] or "application/octet-stream"
        url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return {"type": "file", "file": {"filename": file.filename, "url": url}}


def _text(value: str) -> JSON:
    return {"type": "text", "text": {"value": value, "annotations": []}}
