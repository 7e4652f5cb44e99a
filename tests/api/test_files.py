"""Files over HTTP: as programs use them, and as they may never be used."""

import io
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from streamlit_assistant.settings import Settings
from tests.conftest import API_KEY, serve

PURPOSES = "'assistants', 'batch', 'fine-tune', 'vision', 'user_data', and 'evals'"


def error_of(response: httpx.Response, status: int = 400) -> tuple[str, str | None, str | None]:
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error["message"], error["param"], error["code"]


def uploaded(http: httpx.Client, name: str = "a.txt", content: bytes = b"x") -> dict[str, Any]:
    answer = http.post("/files", data={"purpose": "assistants"}, files={"file": (name, content)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_file_lives_through_all_five_operations(client: openai.OpenAI) -> None:
    made = client.files.create(file=("notes.md", b"# Notes"), purpose="assistants")
    found = client.files.retrieve(made.id)
    processed = client.files.wait_for_processing(made.id)
    content = client.files.content(made.id)
    listed = client.files.list(limit=1)
    gone = client.files.delete(made.id)

    assert found == made == processed
    assert made.id.startswith("file-")
    assert (made.filename, made.bytes, made.purpose) == ("notes.md", 7, "assistants")
    assert (made.status, made.expires_at) == ("processed", None)
    assert content.read() == b"# Notes"
    assert [file.id for file in listed.data] == [made.id]
    assert (gone.id, gone.object, gone.deleted) == (made.id, "file", True)
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError, match=f"No such File object: {made.id}"):
            call(made.id)


@pytest.mark.parametrize("purpose", ["batch", "fine-tune", "vision", "user_data", "evals"])
def test_every_purpose_can_be_given_and_listed(client: openai.OpenAI, purpose: Any) -> None:
    made = client.files.create(file=b"{}", purpose=purpose)

    assert (made.filename, made.purpose) == ("upload", purpose)
    assert [file.id for file in client.files.list(purpose=purpose)] == [made.id]


def test_a_file_expires_when_it_was_asked_to(client: openai.OpenAI) -> None:
    expires: Any = {"anchor": "created_at", "seconds": 3600}
    asked = client.files.create(file=b"x", purpose="vision", expires_after=expires)
    batch = client.files.create(file=b"x", purpose="batch")

    assert asked.expires_at == asked.created_at + 3600
    assert batch.expires_at == batch.created_at + 30 * 24 * 3600


def test_a_large_file_comes_back_as_it_went(client: openai.OpenAI) -> None:
    # It holds what could be taken for the form's own boundaries.
    content = b"\r\n--boundary\r\n\r\n--" * 200_000

    made = client.files.create(file=io.BytesIO(content), purpose="user_data")

    assert made.bytes == len(content)
    assert client.files.content(made.id).read() == content


def test_an_empty_file_is_a_file(client: openai.OpenAI) -> None:
    made = client.files.create(file=("empty.txt", b""), purpose="assistants")

    assert (made.bytes, client.files.content(made.id).read()) == (0, b"")


def test_pages_follow_each_other_in_both_orders(client: openai.OpenAI) -> None:
    made = [client.files.create(file=b"x", purpose="assistants").id for _ in range(3)]

    for order, expected in (("asc", made), ("desc", made[::-1])):
        pages: Any = client.files.list(purpose="assistants", limit=2, order=order)  # type: ignore[arg-type]
        found = [file.id for file in pages if file.id in made]
        assert found == expected
    after = client.files.list(after=made[1], order="asc")
    assert [file.id for file in after.data] == [made[2]]
    assert after.has_more is False


@pytest.mark.parametrize(
    ("query", "param", "said"),
    [
        ({"limit": "0"}, "limit", "Expected a value >= 1, but got 0 instead."),
        ({"limit": "10001"}, "limit", "Expected a value <= 10000, but got 10001 instead."),
        ({"order": "up"}, "order", "Supported values are: 'asc' and 'desc'."),
        ({"before": "file-x"}, "before", "Unknown parameter: 'before'."),
    ],
)
def test_a_bad_listing_is_explained(
    http: httpx.Client, query: dict[str, str], param: str, said: str
) -> None:
    message, named, _ = error_of(http.get("/files", params=query))

    assert (named, said in message) == (param, True), message


def test_ten_thousand_may_be_listed_at_once(http: httpx.Client) -> None:
    assert http.get("/files", params={"limit": "10000"}).status_code == 200


def test_an_id_of_another_kind_is_refused(http: httpx.Client) -> None:
    for path in ("/files/asst_x", "/files/file_x", "/files/undefined/content"):
        message, param, code = error_of(http.get(path))
        assert message.endswith("Expected an ID that begins with 'file'.")
        assert (param, code) == ("file_id", "invalid_value")


def test_an_unknown_file_is_named(http: httpx.Client) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        answer = http.request(method, f"/files/file-unknown{path}")
        assert error_of(answer, 404) == ("No such File object: file-unknown", "id", None)


def test_a_downloaded_file_cannot_pass_for_a_page_of_the_site(http: httpx.Client) -> None:
    made = uploaded(http, '报告 "final".html', b"<script>alert(1)</script>")

    answer = http.get(f"/files/{made['id']}/content")

    assert made["filename"] == '报告 "final".html'
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "25"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="__ _final_.html"; '
        "filename*=UTF-8''%E6%8A%A5%E5%91%8A%20%22final%22.html"
    )


def test_the_head_of_a_download_says_how_long_it_is(http: httpx.Client) -> None:
    made = uploaded(http, content=b"12345")

    answer = http.head(f"/files/{made['id']}/content")

    assert (answer.status_code, answer.headers["content-length"]) == (200, "5")


@pytest.mark.parametrize(
    ("data", "has_file", "expected"),
    [
        ({"purpose": "vision"}, False, ("file", "missing_required_parameter")),
        ({}, True, ("purpose", "missing_required_parameter")),
        ({"purpose": "secret"}, True, ("purpose", "invalid_value")),
        ({"purpose": "vision", "x": "1"}, True, ("x", "unknown_parameter")),
        ({"purpose": "vision", "expires_after": "soon"}, True, ("expires_after", "invalid_type")),
        (
            {"purpose": "vision", "expires_after[anchor]": "created_at"},
            True,
            ("expires_after.seconds", "missing_required_parameter"),
        ),
        (
            {
                "purpose": "vision",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "3599",
            },
            True,
            ("expires_after.seconds", "integer_below_min_value"),
        ),
        (
            {
                "purpose": "vision",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "2592001",
            },
            True,
            ("expires_after.seconds", "integer_above_max_value"),
        ),
        (
            {
                "purpose": "vision",
                "expires_after[anchor]": "last_active_at",
                "expires_after[seconds]": "3600",
            },
            True,
            ("expires_after.anchor", "invalid_value"),
        ),
    ],
)
def test_a_bad_form_is_explained_and_stores_nothing(
    http: httpx.Client, data: dict[str, str], has_file: bool, expected: tuple[str, str]
) -> None:
    before = http.get("/files").json()
    # A part without a name of a file is a plain field: so the body is a form even without a file.
    parts: Any = {name: (None, value) for name, value in data.items()} or {}
    if has_file:
        parts["file"] = ("a.txt", b"x")

    _, *named = error_of(http.post("/files", files=parts))

    assert tuple(named) == expected
    assert http.get("/files").json() == before


def test_the_words_of_the_common_mistakes_are_openais(http: httpx.Client) -> None:
    no_file = http.post("/files", files={"purpose": (None, "vision")})
    bad_purpose = http.post("/files", data={"purpose": "secret"}, files={"file": b"x"})
    no_form = http.post("/files", json={"purpose": "vision"})

    assert error_of(no_file)[0] == "Missing required parameter: 'file'."
    assert error_of(bad_purpose)[0] == (
        f"Invalid value: 'secret'. Supported values are: {PURPOSES}."
    )
    assert error_of(no_form)[0].startswith(
        "Unsupported content type: 'application/json'. This API method only accepts "
        "'multipart/form-data' requests"
    )


def test_what_was_refused_or_broken_off_leaves_no_bytes_behind(settings: Settings) -> None:
    incoming = settings.data_dir / "files" / "incoming"
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    with serve(settings) as live, live.client() as client:
        with pytest.raises(openai.BadRequestError):
            client.files.create(file=b"refused" * 300_000, purpose="secret")  # type: ignore[arg-type]
        assert list(incoming.iterdir()) == []

        address = urlsplit(live.url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as broken:
            broken.sendall(
                b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n"
                + f"Authorization: Bearer {API_KEY}\r\n".encode()
                + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
                + form
                + b"x" * 2_000_000
            )
            wait_until(lambda: any(incoming.iterdir()))
        wait_until(lambda: not any(incoming.iterdir()))
        assert list(client.files.list()) == []


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
