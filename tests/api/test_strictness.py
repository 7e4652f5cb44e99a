"""How strict the API is, where a setting decides."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from streamlit_assistant.chatbot import ChatBot
from tests.conftest import API_KEY, LiveServer, new_site, serve

BETA = {"OpenAI-Beta": "assistants=v2"}
BETA_REFUSAL = {
    "error": {
        "message": "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please "
        "try again by setting the header 'OpenAI-Beta: assistants=v2'.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_beta",
    }
}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[LiveServer]:
    """A site that is strict where others are not, and lenient where they are strict."""
    site = new_site(tmp_path_factory.mktemp("strictness"), empty_database)
    changed = dataclasses.replace(site, strict_ids=False, require_beta_header=True)
    with serve(changed) as live:
        yield live


def ask(live: LiveServer, method: str, path: str, **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {API_KEY}", **headers}
    return httpx.request(method, f"{live.url}/v1{path}", headers=given)


@pytest.mark.parametrize(
    "path", ["/assistants", "/threads", "/threads/thread_x/runs", "/vector_stores"]
)
def test_a_request_without_the_beta_header_is_refused_where_it_is_required(
    other: LiveServer, offline: LiveServer, path: str
) -> None:
    refused = ask(other, "GET", path)

    assert (refused.status_code, refused.json()) == (400, BETA_REFUSAL)
    assert refused.headers["x-request-id"].startswith("req_")
    assert ask(offline, "GET", path).json() != BETA_REFUSAL


@pytest.mark.parametrize("given", ["assistants=v1", "", "responses=v1"])
def test_another_beta_does_not_count(other: LiveServer, given: str) -> None:
    assert ask(other, "GET", "/assistants", **{"OpenAI-Beta": given}).json() == BETA_REFUSAL


def test_the_header_may_name_several_betas(other: LiveServer) -> None:
    several = {"openai-beta": "responses=v1, assistants=v2"}

    assert ask(other, "GET", "/assistants", **several).status_code == 200


@pytest.mark.parametrize("path", ["/models", "/files/file-x", "/uploads", "/nowhere"])
def test_no_beta_header_is_asked_for_where_openais_clients_send_none(
    other: LiveServer, path: str
) -> None:
    assert ask(other, "GET", path).json() != BETA_REFUSAL


def test_the_key_is_looked_at_first(other: LiveServer) -> None:
    assert ask(other, "GET", "/assistants", Authorization="Bearer wrong").status_code == 401


def test_the_official_client_and_the_page_send_what_is_required(other: LiveServer) -> None:
    client = other.client()
    client.beta.assistants.list()
    chat = ChatBot(client, "asst_default")

    list(chat.ask("hi"))

    assert len(chat.messages()) == 2
    assert len(chat.threads()) == 1


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/threads/undefined", "No thread found with id 'undefined'."),
        ("DELETE", "/threads/undefined", "No thread found with id 'undefined'."),
        ("GET", "/assistants/x", "No assistant found with id 'x'."),
        ("GET", "/files/x", "No such File object: x"),
        ("GET", "/vector_stores/x/files", "Vector store with id ['x'] not found."),
        ("GET", "/threads/undefined/runs/undefined", "No thread found with id 'undefined'."),
    ],
)
def test_without_strict_ids_any_id_is_looked_up(
    other: LiveServer, method: str, path: str, said: str
) -> None:
    answer = ask(other, method, path, **BETA)

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == said


def test_without_strict_ids_an_id_in_a_body_is_looked_up_too(other: LiveServer) -> None:
    client = other.client()
    thread = client.beta.threads.create()

    with pytest.raises(openai.NotFoundError, match="No assistant found with id 'x'"):
        client.beta.threads.runs.create(thread.id, assistant_id="x")
    assert client.beta.threads.messages.list(thread.id, run_id="x").data == []
