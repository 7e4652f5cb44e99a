"""Clients whose every answer is held against the published specification."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.conftest import API_KEY, LiveServer
from tests.spec_validator import Spec, load_spec


def checked(spec: Spec) -> Callable[[Any], None]:
    """Return a hook that reads an answer and checks it; our extensions are not in the spec."""

    def check(response: Any) -> None:
        response.read()
        if not _is_extension(response.request) and not _is_download(response):
            spec.check_http(response)

    return check


def _is_download(response: Any) -> bool:
    """Whether it is a file itself, whose type the specification gives as JSON."""
    path: str = response.request.url.path.removeprefix("/v1")
    is_content = path.startswith("/files/") and path.endswith("/content")
    return is_content and response.status_code == 200


def _is_extension(request: Any) -> bool:
    path: str = request.url.path.removeprefix("/v1")
    listing = request.method == "GET" and path == "/threads"
    upload = request.method == "GET" and path.startswith("/uploads/")
    emptying = request.method == "DELETE" and path.endswith("/messages")
    several = path.endswith(("/events", "/messages/batch"))
    return listing or upload or emptying or several or path in ("/nowhere", "/no\nwhere")


@pytest.fixture(scope="session")
def spec() -> Spec:
    return load_spec()


@pytest.fixture
def client(offline: LiveServer, spec: Spec) -> Iterator[openai.OpenAI]:
    hooks = {"response": [checked(spec)]}
    with openai.DefaultHttpx2Client(event_hooks=hooks) as http:
        yield offline.client(http_client=http)


@pytest.fixture
def http(offline: LiveServer, spec: Spec) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{offline.url}/v1",
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=20,
        event_hooks={"response": [checked(spec)]},
    ) as client:
        yield client
