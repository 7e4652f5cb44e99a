"""Bad input to vector stores over HTTP: status, words, parameter and code."""

from typing import Any

import httpx
import pytest

from tests.api.test_errors import error_of
from tests.file_factories import static


@pytest.fixture
def store_id(http: httpx.Client) -> str:
    return str(http.post("/vector_stores", json={}).json()["id"])


def upload(http: httpx.Client, name: str = "a.txt") -> str:
    answer = http.post("/files", files={"file": (name, b"text")}, data={"purpose": "assistants"})
    return str(answer.json()["id"])


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "eq", "key": "k", "value": 1}
    for _ in range(depth):
        found = {"type": "and", "filters": [found]}
    return found


SEARCH, FILES, BATCHES = "/search", "/files", "/file_batches"


@pytest.mark.parametrize(
    ("path", "body", "param", "code", "said"),
    [
        ("", {"x": 1}, "x", "unknown_parameter", "Unknown parameter: 'x'."),
        ("", {"name": 3}, "name", "invalid_type", "expected a string, but got an integer"),
        (
            "",
            {"expires_after": {"anchor": "last_active_at", "days": 366}},
            "expires_after.days",
            "integer_above_max_value",
            "Expected a value <= 365, but got 366 instead.",
        ),
        (
            "",
            {"metadata": {str(n): "v" for n in range(17)}},
            "metadata",
            "object_above_max_properties",
            "at most 16 properties",
        ),
        (FILES, {}, "file_id", "missing_required_parameter", "'file_id'"),
        (
            FILES,
            {"file_id": "file-x", "chunking_strategy": static(99, 0)},
            "chunking_strategy.static.max_chunk_size_tokens",
            "integer_below_min_value",
            "Expected a value >= 100",
        ),
        (
            FILES,
            {"file_id": "file-x", "chunking_strategy": static(100, 51)},
            "chunking_strategy.static.chunk_overlap_tokens",
            "invalid_value",
            "must not exceed half",
        ),
        (
            FILES,
            {"file_id": "file-x", "attributes": {"k": "v" * 513}},
            "attributes.k",
            "string_above_max_length",
            "maximum length 512",
        ),
        (
            FILES,
            {"file_id": "file-x", "attributes": {"k": [1]}},
            "attributes.k",
            "invalid_type",
            "expected one of a string, number, or boolean, but got an array",
        ),
        (
            FILES,
            {"file_id": "file-x", "attributes": {str(n): n for n in range(17)}},
            "attributes",
            "object_above_max_properties",
            "at most 16 properties",
        ),
        (BATCHES, {}, "file_ids", "missing_required_parameter", "'file_ids'"),
        (
            BATCHES,
            {"file_ids": ["file-x"], "files": [{"file_id": "file-x"}]},
            "files",
            "mutually_exclusive_parameters",
            "only providing one of: 'file_ids' or 'files'",
        ),
        (
            BATCHES,
            {"file_ids": ["file-x"] * 2001},
            "file_ids",
            "array_above_max_length",
            "maximum length 2000",
        ),
        (SEARCH, {}, "query", "missing_required_parameter", "'query'"),
        (SEARCH, {"query": []}, "query", "empty_array", "empty array"),
        (
            SEARCH,
            {"query": "x", "max_num_results": 51},
            "max_num_results",
            "integer_above_max_value",
            "Expected a value <= 50",
        ),
        (
            SEARCH,
            {"query": "x", "ranking_options": {"ranker": "best"}},
            "ranking_options.ranker",
            "invalid_value",
            "'none', 'auto', and 'default-2024-11-15'",
        ),
        (
            SEARCH,
            {"query": "x", "filters": {"type": "like", "key": "k", "value": "v"}},
            "filters.type",
            "invalid_value",
            "Supported values are: 'eq'",
        ),
        (
            SEARCH,
            {"query": "x", "filters": {"type": "in", "key": "k", "value": "v"}},
            "filters.value",
            "invalid_type",
            "expected an array, but got a string",
        ),
        (SEARCH, {"query": "x", "filters": nested(10)}, "filters", "invalid_value", "10 deep"),
    ],
)
def test_bad_input_is_named(
    http: httpx.Client,
    store_id: str,
    path: str,
    body: dict[str, Any],
    param: str,
    code: str,
    said: str,
) -> None:
    answer = http.post(f"/vector_stores/{store_id}{path}" if path else "/vector_stores", json=body)

    error = error_of(answer)
    assert answer.status_code == 400
    assert (error["param"], error["code"]) == (param, code)
    assert said in error["message"]


@pytest.mark.parametrize("depth", [0, 9])
def test_filters_may_be_nested(http: httpx.Client, store_id: str, depth: int) -> None:
    body = {"query": "x", "filters": nested(depth)}

    assert http.post(f"/vector_stores/{store_id}/search", json=body).status_code == 200


def test_more_files_than_a_new_store_takes_are_refused(http: httpx.Client) -> None:
    answer = http.post("/vector_stores", json={"file_ids": ["file-x"] * 501})

    assert error_of(answer)["code"] == "array_above_max_length"


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/vector_stores/vs_no", "Vector store with id ['vs_no'] not found."),
        ("POST", "/vector_stores/vs_no", "Vector store with id ['vs_no'] not found."),
        ("DELETE", "/vector_stores/vs_no", "Vector store with id ['vs_no'] not found."),
        ("GET", "/vector_stores/vs_no/files", "Vector store with id ['vs_no'] not found."),
        (
            "GET",
            "/vector_stores/{store}/files/file-no",
            "No file found with id 'file-no' in vector store '{store}'.",
        ),
        (
            "DELETE",
            "/vector_stores/{store}/files/file-no",
            "No file found with id 'file-no' in vector store '{store}'.",
        ),
        (
            "GET",
            "/vector_stores/{store}/files/file-no/content",
            "No file found with id 'file-no' in vector store '{store}'.",
        ),
        (
            "GET",
            "/vector_stores/{store}/file_batches/vsfb_no",
            "No vector store file batch found with id 'vsfb_no'.",
        ),
        (
            "POST",
            "/vector_stores/{store}/file_batches/vsfb_no/cancel",
            "No vector store file batch found with id 'vsfb_no'.",
        ),
    ],
)
def test_what_there_is_not_is_named(
    http: httpx.Client, store_id: str, method: str, path: str, message: str
) -> None:
    answer = http.request(method, path.format(store=store_id))

    assert answer.status_code == 404
    assert error_of(answer)["message"] == message.format(store=store_id)


@pytest.mark.parametrize(
    ("path", "param", "prefix"),
    [
        ("/vector_stores/undefined", "vector_store_id", "vs"),
        ("/vector_stores/vs_x/files/x", "file_id", "file"),
        ("/vector_stores/vs_x/file_batches/vs_x", "batch_id", "vsfb"),
    ],
)
def test_an_id_of_another_kind_is_refused(
    http: httpx.Client, path: str, param: str, prefix: str
) -> None:
    error = error_of(http.get(path))

    assert (error["param"], error["code"]) == (param, "invalid_value")
    assert error["message"].endswith(f"Expected an ID that begins with '{prefix}'.")


@pytest.mark.parametrize("path", ["", "/files", "/file_batches"])
def test_an_unknown_file_cannot_be_put_in(http: httpx.Client, store_id: str, path: str) -> None:
    body = {"file_id": "file-no"} if path == "/files" else {"file_ids": ["file-no"]}
    answer = http.post(f"/vector_stores/{store_id}{path}" if path else "/vector_stores", json=body)

    error = error_of(answer)
    assert answer.status_code == 404
    assert (error["message"], error["param"]) == ("No such File object: file-no", "id")


def test_a_picture_cannot_be_put_in(http: httpx.Client, store_id: str) -> None:
    answer = http.post(f"/vector_stores/{store_id}/files", json={"file_id": upload(http, "a.png")})

    error = error_of(answer)
    assert answer.status_code == 400
    assert (error["param"], error["code"]) == ("file_ids", "unsupported_file")
    assert error["message"] == (
        "Files with extensions [.png] are not supported for retrieval. "
        "See https://platform.openai.com/docs/assistants/tools/file-search/supported-files"
    )


@pytest.mark.parametrize(
    ("query", "param"),
    [("filter=ready", "filter"), ("limit=101", "limit"), ("page=2", "page")],
)
def test_listing_refuses_what_it_does_not_know(
    http: httpx.Client, store_id: str, query: str, param: str
) -> None:
    answer = http.get(f"/vector_stores/{store_id}/files?{query}")

    assert answer.status_code == 400
    assert error_of(answer)["param"] == param


@pytest.mark.parametrize("query", ["page=x", "page=-1", "page=²", "after=x"])
def test_the_page_of_a_files_text_must_be_one(
    http: httpx.Client, store_id: str, query: str
) -> None:
    answer = http.get(f"/vector_stores/{store_id}/files/file-x/content?{query}")

    assert answer.status_code == 400
