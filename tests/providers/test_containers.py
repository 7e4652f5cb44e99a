"""Containers of a code interpreter, at a model server on a real socket."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from streamlit_assistant.errors import UpstreamError
from streamlit_assistant.providers.responses import containers
from streamlit_assistant.providers.responses.containers import Containers
from streamlit_assistant.providers.upstream_failure import Explainer
from tests.upstream import Upstream, model_server


@pytest.fixture
async def served() -> AsyncIterator[tuple[Upstream, Containers]]:
    with model_server() as upstream:
        url = upstream.base_url
        async with httpx2.AsyncClient(base_url=url) as client:
            yield upstream, Containers(client, Explainer(url, "sk-key-0123456789"), url)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


async def test_a_container_is_made_and_gets_files(served: tuple[Upstream, Containers]) -> None:
    upstream, host = served
    made = await host.open_container()
    file_id = await host.add_file(made, "数据 1.csv", pieces(b"a,b\n", b"1,2\n"))

    assert upstream.containers.files[made] == {file_id: ("数据 1.csv", b"a,b\n1,2\n")}
    assert await host.has_container(made)


async def test_one_that_has_expired_is_not_there(served: tuple[Upstream, Containers]) -> None:
    upstream, host = served
    made = await host.open_container()
    upstream.containers.expire(made)

    assert not await host.has_container(made)
    assert not await host.has_container("../models")
    with pytest.raises(UpstreamError):
        await host.add_file(made, "a.csv", pieces(b"a"))


async def test_a_file_that_is_too_large_is_not_sent(
    served: tuple[Upstream, Containers], monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream, host = served
    monkeypatch.setattr(containers, "MOST_BYTES", 3)
    made = await host.open_container()

    with pytest.raises(UpstreamError, match=r"a\.csv is too large"):
        await host.add_file(made, "a.csv", pieces(b"ab", b"cd"))
    assert upstream.containers.files[made] == {}


async def test_a_server_that_is_down_is_not_taken_for_one_without_containers() -> None:
    url = "http://127.0.0.1:9/v1"
    async with httpx2.AsyncClient(base_url=url) as client:
        with pytest.raises(UpstreamError):
            await Containers(client, Explainer(url, None), url).has_container("cntr_1")
