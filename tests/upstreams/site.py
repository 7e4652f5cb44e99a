"""A site of the product in front of a scripted model server, wherever that is said to be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from streamlit_assistant.providers.steadiness import Steadiness
from streamlit_assistant.settings import Settings
from tests.conftest import LiveServer, serve
from tests.upstream import Upstream

KEY = "sk-proj-abcdefghijklmnop1234"


class Places:
    """Lets a model server be found under the name of any host, for the length of a test."""

    def __init__(self, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
        self.upstream = upstream
        self._monkeypatch = monkeypatch

    def base_url(self, host: str | None = None) -> str:
        """Return where a site finds the server; with a `host`, it is that host's proxy."""
        if host is None:
            return self.upstream.base_url
        self._monkeypatch.setenv("http_proxy", self.upstream.address)
        self._monkeypatch.setenv("no_proxy", "127.0.0.1")
        return f"http://{host}/v1"


def impatient(meanwhile: Callable[[], object] = lambda: None) -> Steadiness:
    """Return what waits for no server; `meanwhile` is what happens while it should."""

    async def sleep(_seconds: float) -> None:
        meanwhile()

    return Steadiness(sleep=sleep)


def settings_for(settings: Settings, base_url: str, api: str, **more: Any) -> Settings:
    """Return the settings of a site that speaks to a model server in this way."""
    given = {"openai_base_url": base_url, "openai_api_key": KEY, "openai_api": api}
    return replace(settings, **{**given, **more})


@contextmanager
def site(
    settings: Settings,
    base_url: str,
    api: str,
    *,
    steadiness: Steadiness | None = None,
    **more: Any,
) -> Iterator[LiveServer]:
    """Serve such a site; `more` are other settings. It waits for no server unless told to."""
    given = settings_for(settings, base_url, api, **more)
    with serve(given, steadiness=steadiness or impatient()) as live:
        yield live
