"""Sync column: folds message deltas into the text a person has been shown so far."""

from streamlit_assistant.chat.assistants_payloads import PARAGRAPH, MessageDelta
from streamlit_assistant.chat.chat_records import ChatMessage


class StreamedAnswer:
    """The text of the message being streamed; earlier messages of the run are behind it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._message_id: str | None = None
        self._part = 0

    @property
    def text(self) -> str:
        """The newest message's text as far as it was streamed."""
        return "".join(self._pieces)

    def add(self, delta: MessageDelta) -> str:
        """Take in a delta and return what to show for it."""
        shown = [self._show(delta.id, part.index, part.words) for part in delta.delta.content or ()]
        return "".join(shown)

    def missing_from(self, message: ChatMessage) -> str:
        """What is still to be shown of the finished message; nothing if the texts disagree."""
        if self._message_id not in (None, message.id):
            return PARAGRAPH + message.text if message.text else ""
        streamed = self.text
        return message.text[len(streamed) :] if message.text.startswith(streamed) else ""

    def _show(self, message_id: str, part: int, words: str) -> str:
        if not words:
            return ""
        gap = ""
        if self._message_id is not None and (message_id, part) != (self._message_id, self._part):
            gap = PARAGRAPH
        if message_id == self._message_id:
            self._pieces.append(gap + words)
        else:
            self._pieces = [words]
        self._message_id, self._part = message_id, part
        return gap + words
