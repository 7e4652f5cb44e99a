"""Forms with a file in them (multipart/form-data), read as they come.

The file's bytes go on to whoever receives them before more of the request is read, so that nothing
is held in memory and a slow disk slows the sender down. Fields may stand before or behind the file.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from streamlit_assistant.api.form_parser import FormParser, Part, PartEnd
from streamlit_assistant.errors import AssistantError, InvalidRequest
from streamlit_assistant.files.blobs import Draft
from streamlit_assistant.records import JSON

MOST_PARTS = 20
MOST_FIELD_BYTES = 10_000
MOST_DISCARDED = 1024 * 1024 * 1024
NAMELESS = "upload"  # what the official client calls bytes without a name
_FORM = "multipart/form-data"
_INNER = re.compile(r"(\w+)\[(\w+)\]")

Receiver = Callable[[AsyncIterator[bytes]], Awaitable[Draft]]
_Events = AsyncIterator[Part | bytes | PartEnd]


@dataclass
class Form:
    """What came: `a[b]` is the key `b` of the object `a`; the file's field holds its name."""

    fields: JSON
    draft: Draft | None = None


class IncomingForm:
    """A request whose form is still to be read, once."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._body = request.stream()
        self._form = Form({})

    async def read(self, file_field: str, receive: Receiver) -> Form:
        """Read it to its end, and have `receive` take the bytes of `file_field`."""
        parts = 0
        events = self._events()
        try:
            async for event in events:
                if isinstance(event, Part):
                    parts += 1
                    if parts > MOST_PARTS:
                        raise _unreadable(f"it has more than {MOST_PARTS} parts")
                    await self._take(event, events, file_field, receive)
        except FormParserError as error:
            raise _unreadable(str(error)) from None
        except ClientDisconnect:
            raise _unreadable("the connection ended before it did") from None
        return Form(_nested(self._form.fields), self._form.draft)

    async def read_out(self) -> None:
        """Read what is left: most clients do not look for an answer before they have sent all."""
        read = 0
        with suppress(ClientDisconnect):
            async for piece in self._body:
                read += len(piece)
                if read > MOST_DISCARDED:
                    return

    async def discard(self) -> None:
        """Remove the file that came, if there is one and nobody has kept it."""
        if self._form.draft is not None:
            await self._form.draft.discard()

    async def _events(self) -> _Events:
        parser = FormParser(_boundary(self._request))
        async for piece in self._body:
            for event in parser.feed(piece):
                yield event
        parser.finish()

    async def _take(self, part: Part, events: _Events, file_field: str, receive: Receiver) -> None:
        if part.name in self._form.fields:
            raise InvalidRequest(
                f"Duplicate parameter: '{part.name[:100]}'.",
                param=part.name[:100],
                code="invalid_value",
            )
        if part.name == file_field:
            self._form.draft = await receive(_data(events))
            self._form.fields[file_field] = part.filename or NAMELESS
        elif part.filename is not None:
            raise InvalidRequest(
                f"Unknown parameter: '{part.name[:100]}'.",
                param=part.name[:100],
                code="unknown_parameter",
            )
        else:
            self._form.fields[part.name] = await _text(part.name, _data(events))


@asynccontextmanager
async def incoming_form(request: Request) -> AsyncIterator[IncomingForm]:
    """Give the request's form to be read; a file that nobody kept is gone afterwards."""
    form = IncomingForm(request)
    try:
        yield form
    except AssistantError:
        await form.read_out()
        raise
    finally:
        await form.discard()


def _boundary(request: Request) -> bytes:
    given = request.headers.get("content-type", "")
    kind, options = parse_options_header(given)
    if kind.decode("latin-1") != _FORM:
        shown = given.partition(";")[0][:100]
        raise InvalidRequest(
            f"Unsupported content type: '{shown}'. This API method only accepts '{_FORM}' "
            f"requests, but you specified the header 'Content-Type: {shown}'. "
            "Please try again with a supported content type.",
            code="unsupported_content_type",
        )
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise _unreadable("its Content-Type header names no boundary")
    return boundary


async def _data(events: _Events) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, PartEnd):
            return
        if isinstance(event, bytes):
            yield event


async def _text(name: str, pieces: AsyncIterator[bytes]) -> str:
    raw = bytearray()
    async for piece in pieces:
        raw += piece
        if len(raw) > MOST_FIELD_BYTES:
            raise _unreadable(f"the field '{name[:100]}' has more than {MOST_FIELD_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _unreadable(f"the field '{name[:100]}' is not UTF-8") from None


def _nested(fields: JSON) -> JSON:
    nested: JSON = {}
    for name, value in fields.items():
        inner = _INNER.fullmatch(name)
        if inner is None:
            nested[name] = _object(value)
        elif isinstance(held := nested.setdefault(inner[1], {}), dict):
            held[inner[2]] = value
    return nested


def _object(value: str) -> object:
    # OpenAPI's way to put an object into a form is one field of JSON.
    if value.startswith("{"):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _unreadable(problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"We could not parse the {_FORM} body of your request: {problem}.", code="invalid_form"
    )
