"""Forms with a file in them, read as they come, however they are cut and whatever they hold."""

import tracemalloc
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from streamlit_assistant.api.multipart import Form, incoming_form
from streamlit_assistant.errors import InvalidRequest
from streamlit_assistant.files.blobs import Draft
from streamlit_assistant.files.folder_blobs import FolderBlobs

MEGABYTE = 1024 * 1024
FORM = "multipart/form-data; boundary=b"


class NoRows:
    """Nobody refers to any bytes."""

    async def unused(self, hashes: Collection[str]) -> list[str]:
        return list(hashes)


@pytest.fixture
async def blobs(tmp_path: Path) -> FolderBlobs:
    opened = FolderBlobs(tmp_path / "files", NoRows())
    await opened.open()
    return opened


class Sender:
    """A client that sends a body in pieces, and perhaps hangs up."""

    def __init__(self, pieces: Iterator[bytes], kind: str = FORM, hangs_up: bool = False) -> None:
        self._pieces = pieces
        self._hangs_up = hangs_up
        self.sent = 0
        headers = [(b"content-type", kind.encode())]
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self._send)

    async def _send(self) -> dict[str, Any]:
        piece = next(self._pieces, None)
        if piece is None and self._hangs_up:
            return {"type": "http.disconnect"}
        self.sent += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}


def body(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def field(name: str, value: bytes = b"") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def file(content: bytes = b"content", naming: str = 'filename="a.txt"') -> bytes:
    return f'Content-Disposition: form-data; name="file"; {naming}\r\n\r\n'.encode() + content


async def read(blobs: FolderBlobs, sender: Sender, most_bytes: int = 100 * MEGABYTE) -> Form:
    async def receive(pieces: AsyncIterator[bytes]) -> Draft:
        return await blobs.receive(pieces, most_bytes)

    async with incoming_form(sender.request) as incoming:
        form = await incoming.read("file", receive)
        if form.draft is not None:
            async with form.draft.kept():
                pass
        return form


def whole(raw: bytes, **options: Any) -> Sender:
    return Sender(iter([raw]), **options)


async def content(blobs: FolderBlobs, form: Form) -> bytes:
    assert form.draft is not None
    return b"".join([piece async for piece in blobs.read(form.draft.sha256)])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_it_does_not_matter_where_the_body_is_cut(blobs: FolderBlobs, size: int) -> None:
    inside = b"\r\n--\r\n--bb\r\n-\r\r\n--"
    raw = body(field("purpose", b"vision"), file(inside), field("x", "中".encode()))

    form = await read(blobs, Sender(raw[n : n + size] for n in range(0, len(raw), size)))

    assert form.fields == {"purpose": "vision", "file": "a.txt", "x": "中"}
    assert await content(blobs, form) == inside


async def test_fields_may_stand_before_and_behind_the_file(blobs: FolderBlobs) -> None:
    fields = [field("purpose", b"vision"), field("expires_after[seconds]", b"3600")]
    expected = {"purpose": "vision", "expires_after": {"seconds": "3600"}, "file": "a.txt"}

    for parts in ([*fields, file()], [file(), *fields], [fields[0], file(), fields[1]]):
        assert (await read(blobs, whole(body(*parts)))).fields == expected


async def test_nothing_of_a_broken_body_gets_into_the_log(
    blobs: FolderBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    for raw in (b"--bXsecret", b"--b\r\nsecret=name\r\n", b"secret", body(file()) + b"--secret"):
        with suppress(InvalidRequest):
            await read(blobs, whole(raw))

    assert caplog.text == ""


async def test_an_object_may_be_a_field_of_json(blobs: FolderBlobs) -> None:
    form = await read(blobs, whole(body(field("expires_after", b'{"seconds": 1}'))))

    assert form.fields == {"expires_after": {"seconds": 1}}
    assert form.draft is None


@pytest.mark.parametrize(
    ("naming", "name"),
    [
        ('filename="a.txt"', "a.txt"),
        ("filename=a.txt", "a.txt"),
        ('filename="报告.pdf"', "报告.pdf"),
        (r'filename="a \"b\" \\c.txt"', r'a "b" \c.txt'),
        ('filename="a %22b%22.txt"', 'a "b".txt'),
        (r'filename="C:\dir\a.txt"', r"C:\dir\a.txt"),
        ("filename=\"x.txt\"; filename*=UTF-8''%E4%B8%AD.txt", "中.txt"),
        ("filename*=iso-8859-1'de'%E4.txt", "ä.txt"),
        ('filename="a; name=purpose.txt"', "a; name=purpose.txt"),
        ('filename=""', "upload"),
        ("x=1", "upload"),
    ],
)
async def test_the_files_name_is_understood(blobs: FolderBlobs, naming: str, name: str) -> None:
    assert (await read(blobs, whole(body(file(naming=naming))))).fields == {"file": name}


@pytest.mark.parametrize(
    ("raw", "kind", "said"),
    [
        (b"", FORM, "it ends before its last boundary"),
        (b"not a form", FORM, "could not parse"),
        (body(file(), end=b""), FORM, "it ends before its last boundary"),
        (body(b"Content-Type: text/plain\r\n\r\nx"), FORM, "a part has no name"),
        (body(b"no header\r\n\r\nx"), FORM, "could not parse"),
        (body(b"X: " + b"y" * 10_000 + b"\r\n\r\n"), FORM, "could not parse"),
        (body(*[field(f"f{n}") for n in range(21)]), FORM, "more than 20 parts"),
        (body(field("purpose", b"x" * 10_001)), FORM, "'purpose' has more than 10000 bytes"),
        (body(field("purpose", b"\xff")), FORM, "'purpose' is not UTF-8"),
        (body(file(), file()), FORM, "Duplicate parameter: 'file'."),
        (body(field("a"), field("a")), FORM, "Duplicate parameter: 'a'."),
        (body(file().replace(b'"file"', b'"other"')), FORM, "Unknown parameter: 'other'."),
        (body(file()), "multipart/form-data", "names no boundary"),
        (body(file()), f"multipart/form-data; boundary={'b' * 300}", "could not parse"),
        (body(file()), "text/plain", "Unsupported content type: 'text/plain'."),
        (body(file()), "", "Unsupported content type: ''."),
    ],
)
async def test_what_cannot_be_read_is_refused_in_words(
    blobs: FolderBlobs, raw: bytes, kind: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        await read(blobs, whole(raw, kind=kind))

    assert list((tmp_path / "files" / "incoming").iterdir()) == []


async def test_a_connection_that_ends_leaves_no_draft(blobs: FolderBlobs, tmp_path: Path) -> None:
    pieces = iter([b"--b\r\n" + file(b"x" * 3 * MEGABYTE)])

    with pytest.raises(InvalidRequest, match="the connection ended before it did"):
        await read(blobs, Sender(pieces, hangs_up=True))

    assert list((tmp_path / "files" / "incoming").iterdir()) == []


async def test_the_rest_of_a_refused_body_is_heard(blobs: FolderBlobs) -> None:
    raw = body(field("a"), field("a"), file(b"x" * MEGABYTE))
    sender = Sender(raw[n : n + 1000] for n in range(0, len(raw), 1000))

    with pytest.raises(InvalidRequest, match="Duplicate"):
        await read(blobs, sender)

    assert sender.sent == len(raw)


async def test_forty_megabytes_pass_through_without_being_held(blobs: FolderBlobs) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"--b\r\n" + file(b"")
        for n in range(640):
            yield bytes([n % 251]) * 65_536
        yield b"\r\n--b--\r\n"

    tracemalloc.start()
    try:
        form = await read(blobs, Sender(pieces()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert form.draft is not None
    assert form.draft.bytes == 40 * MEGABYTE
    assert peak < 6 * MEGABYTE
