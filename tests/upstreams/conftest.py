"""A model server that becomes whichever one a test is about, and where it is found."""

from collections.abc import Iterator

import pytest

from tests.upstream import Upstream, model_server
from tests.upstreams.site import Places


@pytest.fixture(scope="module")
def any_upstream() -> Iterator[Upstream]:
    with model_server() as server:
        yield server


@pytest.fixture
def upstream(any_upstream: Upstream) -> Upstream:
    """The server as it is without a word about it."""
    any_upstream.become()
    return any_upstream


@pytest.fixture
def places(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Places:
    return Places(upstream, monkeypatch)
