"""Uploads in parts over HTTP."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.api.test_files import error_of

NEW: dict[str, Any] = {
    "filename": "a.txt",
    "purpose": "assistants",
    "bytes": 4,
    "mime_type": "text/plain",
}


@pytest.fixture
def upload_id(http: httpx.Client) -> str:
    return str(http.post("/uploads", json=NEW).json()["id"])


def add_part(http: httpx.Client, upload_id: str, data: bytes = b"part") -> str:
    answer = http.post(f"/uploads/{upload_id}/parts", files={"data": ("x", data)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_a_file_comes_in_parts(client: openai.OpenAI) -> None:
    upload = client.uploads.create(
        filename="notes.md", purpose="assistants", bytes=10, mime_type="text/markdown"
    )
    last = client.uploads.parts.create(upload.id, data=b"last.")
    first = client.uploads.parts.create(upload.id, data=b"first")
    done = client.uploads.complete(
        upload.id, part_ids=[first.id, last.id], md5=hashlib.md5(b"firstlast.").hexdigest()
    )

    assert upload.id.startswith("upload_")
    assert (upload.status, upload.expires_at) == ("pending", upload.created_at + 3600)
    assert (first.object, first.upload_id) == ("upload.part", upload.id)
    assert first.id.startswith("part_")
    assert done.file is not None
    assert (done.id, done.status, done.file.bytes) == (upload.id, "completed", 10)
    assert (done.file.filename, done.file.purpose) == ("notes.md", "assistants")
    assert client.files.content(done.file.id).read() == b"firstlast."


def test_the_clients_own_helper_uploads_a_file(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"0123456789" * 1000)

    done = client.uploads.upload_file_chunked(
        file=path, mime_type="text/plain", purpose="assistants", part_size=4_000
    )

    assert done.file is not None
    assert client.files.content(done.file.id).read() == path.read_bytes()


def test_a_cancelled_upload_takes_no_parts(client: openai.OpenAI) -> None:
    upload = client.uploads.create(**NEW)

    cancelled = client.uploads.cancel(upload.id)

    assert (cancelled.status, cancelled.file) == ("cancelled", None)
    said = f"Upload {upload.id} is cancelled: only a pending upload can be changed."
    with pytest.raises(openai.BadRequestError, match=said):
        client.uploads.parts.create(upload.id, data=b"part")
    with pytest.raises(openai.BadRequestError, match=said):
        client.uploads.complete(upload.id, part_ids=[])
    with pytest.raises(openai.BadRequestError, match=said):
        client.uploads.cancel(upload.id)


def test_what_has_become_of_an_upload_can_be_asked(http: httpx.Client, upload_id: str) -> None:
    def look() -> httpx.Response:
        return http.get(f"/uploads/{upload_id}")

    pending = look().json()
    part = add_part(http, upload_id)
    done = http.post(f"/uploads/{upload_id}/complete", json={"part_ids": [part]})
    completed = look()
    http.delete(f"/files/{done.json()['file']['id']}")

    assert pending["status"] == "pending"
    assert completed.json() == done.json()
    assert look().json() == {**pending, "status": "completed"}
    assert http.get("/uploads/upload_unknown").status_code == 404


def test_an_uploaded_file_expires_when_it_was_asked_to(http: httpx.Client) -> None:
    expires = {"anchor": "created_at", "seconds": 7200}
    upload = http.post("/uploads", json={**NEW, "expires_after": expires}).json()
    part_ids = [add_part(http, upload["id"])]

    done = http.post(f"/uploads/{upload['id']}/complete", json={"part_ids": part_ids}).json()

    assert done["file"]["expires_at"] == done["file"]["created_at"] + 7200


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"filename": None}, "filename", "invalid_type"),
        ({"filename": ""}, "filename", "string_below_min_length"),
        ({"purpose": "secret"}, "purpose", "invalid_value"),
        ({"bytes": -1}, "bytes", "integer_below_min_value"),
        ({"bytes": "4"}, "bytes", "invalid_type"),
        ({"bytes": 8 * 1024**3 + 1}, "bytes", "integer_above_max_value"),
        ({"expires_after": {"anchor": "created_at"}}, "expires_after.seconds", None),
        ({"x": 1}, "x", "unknown_parameter"),
    ],
)
def test_a_bad_upload_is_explained(
    http: httpx.Client, changes: dict[str, Any], param: str, code: str | None
) -> None:
    _, named, given = error_of(http.post("/uploads", json={**NEW, **changes}))

    assert (named, given) == (param, code or "missing_required_parameter")


def test_what_is_missing_is_named(http: httpx.Client, upload_id: str) -> None:
    for path, param in (("", "filename"), (f"/{upload_id}/complete", "part_ids")):
        message, named, _ = error_of(http.post(f"/uploads{path}", json={}))
        assert (message, named) == (f"Missing required parameter: '{param}'.", param)
    no_data = http.post(f"/uploads/{upload_id}/parts", files={"other": (None, "x")})
    assert error_of(no_data)[:2] == ("Unknown parameter: 'other'.", "other")


def test_the_limit_of_an_upload_is_named_in_full(http: httpx.Client) -> None:
    message, _, _ = error_of(http.post("/uploads", json={**NEW, "bytes": 9_000_000_000}))

    assert message.endswith("Expected a value <= 8589934592, but got 9000000000 instead.")


@pytest.mark.parametrize(
    ("part_ids", "more", "param", "said"),
    [
        (["file-x"], {}, "part_id", "Expected an ID that begins with 'part'."),
        (["part_x"], {}, "part_ids", "No such Part object"),
        (["own", "own"], {}, "part_ids", "is named more than once."),
        ([], {}, "part_ids", "have 0 bytes together, but the upload was created for 4 bytes."),
        (["own"], {"md5": "0"}, "md5", "md5 checksum of the uploaded parts is"),
    ],
)
def test_a_bad_completion_is_explained_and_can_be_mended(
    http: httpx.Client,
    upload_id: str,
    part_ids: list[str],
    more: dict[str, str],
    param: str,
    said: str,
) -> None:
    own = add_part(http, upload_id)
    named = [own if part_id == "own" else part_id for part_id in part_ids]
    path = f"/uploads/{upload_id}/complete"

    message, given, _ = error_of(http.post(path, json={"part_ids": named, **more}))

    assert (given, said in message) == (param, True), message
    assert http.post(path, json={"part_ids": [own]}).json()["status"] == "completed"


def test_an_unknown_upload_is_named(http: httpx.Client) -> None:
    parts = http.post("/uploads/upload_x/parts", files={"data": b"x" * 3_000_000})
    completion = http.post("/uploads/upload_x/complete", json={"part_ids": []})
    cancellation = http.post("/uploads/upload_x/cancel")

    for answer in (parts, completion, cancellation):
        assert error_of(answer, 404)[:2] == ("No such Upload object: upload_x", "upload_id")
    wrong = error_of(http.post("/uploads/file-x/cancel"))
    assert wrong[0] == "Invalid 'upload_id': 'file-x'. Expected an ID that begins with 'upload'."


def test_a_part_that_is_too_large_is_refused_after_it_was_heard(
    http: httpx.Client, upload_id: str
) -> None:
    large = b"x" * (64 * 1024 * 1024 + 1)

    refused = http.post(f"/uploads/{upload_id}/parts", files={"data": large})
    most = http.post(f"/uploads/{upload_id}/parts", files={"data": large[1:]})

    assert error_of(refused) == (
        "The data is too large: it can have at most 64 MB.",
        "data",
        "file_too_large",
    )
    assert most.status_code == 200
