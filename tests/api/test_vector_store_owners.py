"""Two keys of two owners: what belongs to one does not exist for the other."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamlit_assistant.api import hash_key
from streamlit_assistant.settings import Settings
from streamlit_assistant.store import Store, sqlite_url
from tests.api.test_errors import error_of
from tests.conftest import LiveServer, new_site, serve

OWNERS = {"ann": "key-of-ann", "ben": "key-of-ben"}


async def add_keys(settings: Settings) -> None:
    store = Store(sqlite_url(settings.data_dir / "assistant.db"), lambda: 0)
    await store.open()
    for owner, key in OWNERS.items():
        await store.api_keys.add(owner, "test", hash_key(key))
    await store.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[LiveServer]:
    settings = new_site(tmp_path_factory.mktemp("owners"), empty_database)
    asyncio.run(add_keys(settings))
    with serve(replace(settings, assistant_api_key=None)) as live:
        yield live


def client_of(site: LiveServer, owner: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {OWNERS[owner]}"}
    return httpx.Client(base_url=f"{site.url}/v1", headers=headers, timeout=20)


@pytest.fixture
def ann(site: LiveServer) -> Iterator[httpx.Client]:
    with client_of(site, "ann") as client:
        yield client


@pytest.fixture
def ben(site: LiveServer) -> Iterator[httpx.Client]:
    with client_of(site, "ben") as client:
        yield client


@pytest.fixture
def names(ann: httpx.Client) -> dict[str, str]:
    """What ann has."""
    sent = {"file": ("a.txt", b"parrots")}
    file = ann.post("/files", files=sent, data={"purpose": "assistants"}).json()["id"]
    store = ann.post("/vector_stores", json={}).json()["id"]
    batch = ann.post(f"/vector_stores/{store}/file_batches", json={"file_ids": [file]}).json()
    return {"store": store, "file": file, "batch": batch["id"]}


STORE = "/vector_stores/{store}"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", STORE, None),
        ("POST", STORE, {"name": "mine"}),
        ("DELETE", STORE, None),
        ("POST", f"{STORE}/search", {"query": "parrots"}),
        ("GET", f"{STORE}/files", None),
        ("POST", f"{STORE}/files", {"file_id": "{file}"}),
        ("GET", f"{STORE}/files/{{file}}", None),
        ("POST", f"{STORE}/files/{{file}}", {"attributes": {"mine": True}}),
        ("DELETE", f"{STORE}/files/{{file}}", None),
        ("GET", f"{STORE}/files/{{file}}/content", None),
        ("POST", f"{STORE}/file_batches", {"file_ids": ["{file}"]}),
        ("GET", f"{STORE}/file_batches/{{batch}}", None),
        ("POST", f"{STORE}/file_batches/{{batch}}/cancel", None),
        ("GET", f"{STORE}/file_batches/{{batch}}/files", None),
        (
            "POST",
            "/threads",
            {"tool_resources": {"file_search": {"vector_store_ids": ["{store}"]}}},
        ),
    ],
)
def test_anothers_vector_store_is_unknown(
    ann: httpx.Client,
    ben: httpx.Client,
    names: dict[str, str],
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    answer = ben.request(method, path.format(**names), json=filled(body, names))

    assert answer.status_code == 404
    assert error_of(answer)["message"] == f"Vector store with id ['{names['store']}'] not found."
    shown = ann.get(f"/vector_stores/{names['store']}").json()
    assert (shown["name"], shown["file_counts"]["total"]) == ("", 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/vector_stores", {"file_ids": ["{file}"]}),
        ("/vector_stores/{mine}/files", {"file_id": "{file}"}),
        ("/vector_stores/{mine}/file_batches", {"files": [{"file_id": "{file}"}]}),
        (
            "/threads",
            {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": ["{file}"]}]}}},
        ),
        ("/threads", {"tool_resources": {"code_interpreter": {"file_ids": ["{file}"]}}}),
    ],
)
def test_anothers_file_is_unknown(
    ben: httpx.Client, names: dict[str, str], path: str, body: dict[str, Any]
) -> None:
    mine = ben.post("/vector_stores", json={}).json()["id"]

    answer = ben.post(path.format(mine=mine), json=filled(body, names))

    assert answer.status_code == 404
    assert error_of(answer)["message"] == f"No such File object: {names['file']}"


def test_a_list_shows_the_askers_own_only(
    ann: httpx.Client, ben: httpx.Client, names: dict[str, str]
) -> None:
    mine = ben.post("/vector_stores", json={}).json()["id"]

    listed = [store["id"] for store in ben.get("/vector_stores").json()["data"]]

    assert mine in listed
    assert names["store"] not in listed
    assert ben.get("/vector_stores", params={"after": names["store"]}).status_code == 404


def filled(body: Any, names: dict[str, str]) -> Any:
    """Put the ids where the body has their names."""
    if isinstance(body, str):
        return body.format(**names)
    if isinstance(body, list):
        return [filled(item, names) for item in body]
    if isinstance(body, dict):
        return {key: filled(value, names) for key, value in body.items()}
    return body
