"""A conversation as the messages of a chat completion, in the form that its server takes."""

import re
from collections.abc import Sequence
from hashlib import sha256

from streamlit_assistant.providers.base import (
    CallsMessage,
    FunctionCall,
    ModelRequest,
    OutputMessage,
    PromptMessage,
    Turn,
)
from streamlit_assistant.providers.chat.dialects import SHORT_ID, Dialect
from streamlit_assistant.records import JSON

UNREAD_FILE = "[Attached file: {}. This model cannot read it.]"
UNFETCHED_IMAGE = "[An image at {}, which this model server cannot fetch]"
SHOWN_IMAGE = "[An image]"

# Their templates want short ids wherever they run.
_OF_MISTRAL = re.compile(r"mi[sx]tral|devstral|codestral|magistral|pixtral", re.IGNORECASE)
_SHORT = 9
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What a message and a call say here; whatever else they had may be sent back.
_OF_MESSAGE = frozenset({"role", "content", "tool_calls"})
_OF_CALL = frozenset({"index", "id", "type", "function"})


def chat_messages(
    request: ModelRequest,
    notes: Sequence[str],
    dialect: Dialect,
    server: str,
    refused: frozenset[str],
) -> list[JSON]:
    """Return the messages; `notes` are added to the instructions.

    `server`: only what this one has said is told to it again.
    """
    writing = _Writing(request.model, dialect, server, refused)
    instructions = "\n\n".join(text for text in (request.instructions, *notes) if text)
    # Always `system`: only OpenAI knows the role `developer`.
    system = [{"role": "system", "content": instructions}] if instructions else []
    messages = [writing.message(turn) for turn in request.messages]
    return system + (messages if dialect.takes_repeats else _alternating(messages))


def _alternating(messages: Sequence[JSON]) -> list[JSON]:
    """Return the messages, plain texts of one side joined where they follow each other."""
    joined: list[JSON] = []
    for message in messages:
        before = joined[-1] if joined else {}
        if before.get("role") == message["role"] and _is_plain(before) and _is_plain(message):
            texts = (before["content"], message["content"])
            joined[-1] = {**before, "content": "\n\n".join(filter(None, texts))}
        else:
            joined.append(message)
    return joined


def _is_plain(message: JSON) -> bool:
    return message.keys() == {"role", "content"} and isinstance(message["content"], str)


class _Writing:
    def __init__(self, model: str, dialect: Dialect, server: str, refused: frozenset[str]) -> None:
        self._dialect = dialect
        self._server = server
        self._refused = refused
        is_short = dialect.call_ids == SHORT_ID or _OF_MISTRAL.search(model) is not None
        self._ids = re.compile(SHORT_ID if is_short else dialect.call_ids)
        self._is_short = is_short

    def message(self, turn: Turn) -> JSON:
        match turn:
            case OutputMessage(call_id, output):
                return {"role": "tool", "tool_call_id": self._id(call_id), "content": output}
            case CallsMessage():
                return self._calls(turn)
            case PromptMessage(role, content):
                return {"role": role, "content": self._content(role, content)}

    def _calls(self, turn: CallsMessage) -> JSON:
        message, extras = self._echo(turn.replay)
        calls = [self._call(call) for call in turn.calls]
        for call, extra in zip(calls, extras, strict=False):
            call |= _without(extra, _OF_CALL)
        if calls and self._dialect.unsigned_calls and not any(extras):
            # A signature stands on the first of several calls and counts for all.
            calls[0] |= self._dialect.unsigned_calls
        # Never null: some servers' templates cannot take it.
        said = self._content("assistant", turn.content)
        message |= {"role": "assistant", "content": said, "tool_calls": calls}
        return message

    def _echo(self, replay: JSON | None) -> tuple[JSON, Sequence[JSON]]:
        """Return what is added to a message with calls, and to each of its calls."""
        message: JSON = {}
        extras: Sequence[JSON] = ()
        if self._dialect.echoes and replay is not None and replay.get("server") == self._server:
            data = replay["data"]
            message = _without(data.get("message", {}), _OF_MESSAGE | self._refused)
            extras = data.get("calls", ())
        for name in self._dialect.echo_always:
            message.setdefault(name, "")
        return message, extras

    def _call(self, call: FunctionCall) -> JSON:
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": self._id(call.id), "type": "function", "function": function}

    def _id(self, call_id: str) -> str:
        """Return the id if the server takes it, or the same other one every time."""
        if self._ids.fullmatch(call_id):
            return call_id
        digest = sha256(call_id.encode()).digest()
        if self._is_short:
            return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:_SHORT])
        return f"call_{digest.hex()[:24]}"

    def _content(self, role: str, content: Sequence[JSON]) -> str | list[JSON]:
        parts = [self._part(role, part) for part in content]
        if all(part["type"] == "text" for part in parts):
            # Some servers split an array into several messages, so plain text stays a string.
            return "\n\n".join(part["text"] for part in parts)
        return parts

    def _part(self, role: str, part: JSON) -> JSON:
        match part["type"]:
            case "text":
                return _text(part["text"]["value"])
            case "refusal":
                return _text(part["refusal"])
            case "file":
                return self._file(part["file"])
            case "image_url":
                return self._image(role, part)
        return part

    def _file(self, file: JSON) -> JSON:
        if not self._dialect.reads_files:
            return _text(UNREAD_FILE.format(file["filename"]))
        sent = {"filename": file["filename"], "file_data": file["url"]}
        return {"type": "file", "file": sent}

    def _image(self, role: str, part: JSON) -> JSON:
        if role != "user":
            return _text(SHOWN_IMAGE)  # only users may show images
        url: str = part["image_url"]["url"]
        if not self._dialect.fetches_images and not url.startswith("data:"):
            return _text(UNFETCHED_IMAGE.format(url))
        return part


def _text(text: str) -> JSON:
    return {"type": "text", "text": text}


def _without(fields: JSON, names: frozenset[str]) -> JSON:
    return {name: value for name, value in fields.items() if name not in names}
