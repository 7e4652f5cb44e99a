"""A site with a scripted model behind it; clients whose every answer is held against the spec."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.api.conftest import checked
from tests.conformance.world import World
from tests.conftest import API_KEY, LiveServer, new_site, serve
from tests.spec_validator import Spec, load_spec
from tests.upstream import Upstream, model_server

BETA = {"OpenAI-Beta": "assistants=v2"}


@pytest.fixture(scope="session")
def spec() -> Spec:
    return load_spec()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with model_server() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, empty_database: Any
) -> Iterator[LiveServer]:
    """A site whose answers the scripted model gives, shared by the tests of a file."""
    settings = new_site(tmp_path_factory.mktemp("site"), empty_database)
    # Strict where it can be: what the clients of OpenAI send must be enough.
    settings = dataclasses.replace(
        settings, openai_base_url=upstream.base_url, require_beta_header=True
    )
    with serve(settings) as live:
        yield live


class Operations(list[str]):
    """The operations a client has asked for, in order."""

    def hooks(self, spec: Spec) -> dict[str, list[Callable[[Any], None]]]:
        """Return what notes each operation and checks its answer."""

        def note(response: Any) -> None:
            request = response.request
            self.append(spec.operation_id(request.method, request.url.path))

        return {"response": [note, checked(spec)]}


@pytest.fixture
def asked() -> Operations:
    """What the test's own client asked for; the world around it is made by another."""
    return Operations()


@pytest.fixture
def client(site: LiveServer, spec: Spec, asked: Operations) -> Iterator[openai.OpenAI]:
    with openai.DefaultHttpx2Client(event_hooks=asked.hooks(spec)) as http:
        yield site.client(http_client=http)


@pytest.fixture
def http(site: LiveServer, spec: Spec, asked: Operations) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {API_KEY}", **BETA}
    hooks = asked.hooks(spec)
    with httpx.Client(
        base_url=f"{site.url}/v1", headers=headers, timeout=20, event_hooks=hooks
    ) as http:
        yield http


@pytest.fixture
def world(site: LiveServer) -> World:
    return World(site.client())
