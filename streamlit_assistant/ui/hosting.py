"""Page layer: the page as an application, and what Streamlit is told before it runs one.

`main.py` loads it where a page is served: a process without a page is to know no Streamlit.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import streamlit as st
from streamlit import config
from streamlit.logger import get_logger
from streamlit.web import bootstrap

PAGE = Path(__file__).with_name("page.py")

# Streamlit's options that nobody is to change.
PRIVATE: Mapping[str, Any] = MappingProxyType(
    {
        "browser.gatherUsageStats": False,
        # Streamlit would put our secrets into the environment of the process, and a mistake made
        # in the file while it runs would take the page down.
        "secrets.files": [],
    }
)


def application(**parts: Any) -> st.App:
    """The page and whatever is served beside it; the parts are those of a Starlette application."""
    get_logger("streamlit_assistant")  # lets our log appear beside Streamlit's, in its format
    return st.App(PAGE, **parts)


def tell_page(secrets: Mapping[str, Any]) -> None:
    """Hand the page's script what it must know to reach the API."""
    st.secrets.merge_programmatic_secrets({"site": dict(secrets)})


def configure(look: Mapping[str, Any], host: str, port: int) -> dict[str, Any]:
    """Tell Streamlit where to listen and how the page looks; return all that it was told."""
    options = {
        **look,
        **PRIVATE,
        "server.port": port,
        "server.address": host,
        "server.headless": True,
        # Streamlit would look up this machine's public address over the network to show it.
        "logger.hideWelcomeMessage": True,
    }
    bootstrap.load_config_options(options)
    return options


def add_options(look: Mapping[str, Any]) -> None:
    """Tell a Streamlit that somebody else configured how the page looks, where they did not."""
    for name, value in look.items():
        if not config.is_manually_set(name):
            config.set_option(name, value)
    for name, value in PRIVATE.items():
        config.set_option(name, value)


def run(script: Path, app: st.App, options: dict[str, Any]) -> None:
    """Serve the application until a signal ends it.

    The options are those of `configure`: they hold whenever a file with others is changed.
    """
    # At run time it takes an application as well as the name of one.
    bootstrap.run_asgi_app(str(script), cast("str", app), [], options)


def preload() -> None:
    """Load what the page's script will import when the first browser comes."""
    importlib.import_module("streamlit_assistant.ui.session").preload()
    for part in ("sidebar", "chat"):
        importlib.import_module(f"streamlit_assistant.ui.{part}")
